"""How it was estimated, in words that a protocol takes."""
