"""Every day: what the provider, our ledger and the bank's core say of the same money, and where they differ."""
