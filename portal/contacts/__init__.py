"""Who may contact a borrower, when, and what pauses or stops it (holds)."""
