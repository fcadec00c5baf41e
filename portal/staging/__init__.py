"""A bank's files staged and checked as a whole, before anything of the book changes."""
