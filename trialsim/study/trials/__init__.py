"""A trial in a study file: twins frozen beforehand, its analysis afterwards."""
