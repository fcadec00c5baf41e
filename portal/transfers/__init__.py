"""Money that came by bank transfer: matched by its reference, kept in suspense, or sent back."""
