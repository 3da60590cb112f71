"""Tables of people in files: their cells, their columns, a row for each visit."""
