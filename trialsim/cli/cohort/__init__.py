"""The commands that read, check and make people."""
