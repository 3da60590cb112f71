"""What the values of a source mean."""
