"""When each visit took place."""
