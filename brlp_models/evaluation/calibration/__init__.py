"""What a copy of a model learns of its own errors from people who judge nothing else."""
