"""The doors: HTML and callbacks for each audience. No rules live here; no models are imported."""
