"""SYNTHETIC people of the demonstration: those who are screened, and an archive."""
