"""Calculators that need no cohort."""
