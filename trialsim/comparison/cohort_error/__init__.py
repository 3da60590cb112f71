"""The error that comes from the cohort at hand: people drawn again, and what follows."""
