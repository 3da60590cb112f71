"""Calculators that need no cohort: tables, figures and sentences of closed forms."""
