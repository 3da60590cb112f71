"""Whether this installation works, and computes what it should."""
