"""How good predictions are, in a table for each way of measuring it."""
