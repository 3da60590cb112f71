"""How fast sites screen and enroll, and how sure that is."""
