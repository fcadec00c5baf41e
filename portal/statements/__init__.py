"""A statement of account: its lines and totals, how it is signed, and what a third party may be told of it."""
