"""Scans in an evaluation: on the grid of a model, predicted, and held against later ones."""
