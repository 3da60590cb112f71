"""Regional volumes at a later age, predicted without an image."""
