"""Scans on their way to a model's grid: read, registered, checked, segmented."""
