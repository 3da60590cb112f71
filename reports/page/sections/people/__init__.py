"""Who they are, who is enrolled, what is predicted of them."""
