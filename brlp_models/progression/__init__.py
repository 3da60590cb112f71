"""Disease course mapping: logistic progression of several regions with a person's own timing."""

from typing import Any

__all__ = ["LogisticProgression"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from brlp_models.progression.model import LogisticProgression

        return LogisticProgression
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
