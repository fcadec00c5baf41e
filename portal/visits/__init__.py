"""Announced visits and the people who make them."""
