"""Schedules of loans and plans: pure arithmetic over money and dates, usable without the portal."""
