"""Instalment plans: terms, schedule, policy, the nearest plan that passes, negotiation, agreement."""
