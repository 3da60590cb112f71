"""Predictions of a cohort: where they start, what is drawn, what is kept."""
