"""Printed letters and visit notices: what they must contain and how they are set."""
