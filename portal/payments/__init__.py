"""One payment from click to posted: attempts, provider events, allocation."""
