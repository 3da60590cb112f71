"""How well scores find those who decline fast."""
