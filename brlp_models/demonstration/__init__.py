"""SYNTHETIC people of the demonstration: those who are screened, and an archive."""

from typing import Final

N_WORKERS: Final = 2
"""Processes that make people, and then predict them."""

PEOPLE: Final = f"{__name__}.people"
"""The module that makes people."""
