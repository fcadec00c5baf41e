"""What the portal tells the bank's core: payments, plans and decisions, in files, exactly once, acknowledged."""
