"""Papers the borrower sends: accepted kinds, cleaning, keeping, shredding."""
