"""The commands for a running or finished trial."""
