"""Where every number comes from."""
