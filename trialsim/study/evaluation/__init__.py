"""What is written of the evaluation of a model."""
