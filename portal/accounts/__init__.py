"""Loan accounts: terms, the append-only ledger, and what follows from it: owed, paid, left, due now."""
