"""Simulated cohorts whose truth is known, labelled synthetic wherever they are written."""
