"""Predictors of a baseline visit's future that stand beside BrLP."""
