"""The steps of a study, and what they share."""
