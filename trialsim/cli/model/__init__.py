"""The commands that make, check and judge a model."""
