"""Who may come in: one-time codes, access numbers, sessions, staff, and the counters that guard them."""
