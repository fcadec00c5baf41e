"""What the bank says it sent, and whether what somebody holds is one of those."""
