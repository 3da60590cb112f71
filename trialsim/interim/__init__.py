"""Looks of one trial: the plan, what the data so far say, how it is told."""
