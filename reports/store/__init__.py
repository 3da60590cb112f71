"""The study file: one DuckDB file that holds every table of a study."""
