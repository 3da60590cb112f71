"""What training draws its examples from."""
