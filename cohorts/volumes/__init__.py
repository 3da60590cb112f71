"""How large regions are, what measured them, and which measurement is meant."""
