"""The application: from a protocol to steps, a study file, an answer."""
