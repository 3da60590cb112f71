"""Trials of conversions: hazards that are constant within periods, and the people they need."""
