"""What each choice buys."""
