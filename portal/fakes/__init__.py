"""What people report as not ours: kept, grouped, worked at the desk, and warned of in public."""
