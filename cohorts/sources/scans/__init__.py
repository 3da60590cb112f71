"""The scans of a source: found, converted, read once."""
