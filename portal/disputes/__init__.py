"""Disputes and complaints: the record of a visit, the answer to it, and what the bank is asked to put right."""
