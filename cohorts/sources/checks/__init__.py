"""Checks of what was read: every problem at once, then a refusal."""
