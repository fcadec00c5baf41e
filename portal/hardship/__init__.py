"""What happened to the borrower, income and spending, and what that leaves for a plan."""
