"""Outsiders, each behind one file: the real one and the fake that keeps the same contract."""
