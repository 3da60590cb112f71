"""Training of every network of a model folder."""
