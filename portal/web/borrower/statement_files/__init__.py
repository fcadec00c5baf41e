"""A statement as files to take along: a workbook that computes itself, a table, and the signed content."""
