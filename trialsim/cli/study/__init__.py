"""The commands under `trialsim study`."""
