"""Files of the bank's core: their manifest, mapping, encodings, cells, and what is wrong with a line of them."""
