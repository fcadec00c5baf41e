"""Files from the bank's core: checked whole, then applied whole, every rejected row explained."""
