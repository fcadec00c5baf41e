"""Interest by the day: the engine, what has accrued since the last posted day, a balance as of a day, what settles a loan."""
