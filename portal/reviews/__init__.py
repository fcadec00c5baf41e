"""The bank's side of a negotiation: queue, decisions, the second pair of eyes, requests for more."""
