"""The ways in of the check: a pasted text, a picture, a call, a corpus of messages."""
