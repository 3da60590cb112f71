"""The strategies: what each sees, learns, and says of people."""
