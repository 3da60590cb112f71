"""Screening cohorts: who is screened, and how large the regions of their brains are."""
