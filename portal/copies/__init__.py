"""Codes that may have been copied, and networks with a list of codes: what the desk sees and answers."""
