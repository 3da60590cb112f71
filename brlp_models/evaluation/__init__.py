"""How well a model predicts the people of a cohort."""
