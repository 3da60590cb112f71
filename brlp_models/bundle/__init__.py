"""Model folders in the form of other programs."""
