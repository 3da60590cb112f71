"""Text from the data, made fit to be drawn.

A name that someone typed may hold control characters, ten thousand letters or signs that the font
lacks; a figure shows what it can and never fails for a name.
"""

from functools import cache
from typing import Final

from matplotlib.font_manager import FontProperties, findfont, get_font

MISSING: Final = "\u25a1"

_STRATEGIES: Final = {
    "brlp": "BrLP",
    "oracle": "Oracle (unattainable bound)",
    "random": "Random",
    "baseline_volume": "Baseline volume",
}

_ANALYSES: Final = {"mmrm": "MMRM", "ancova": "ANCOVA", "lmm": "LMM"}

_COVARIATES: Final = {
    "age_years": "Age, years",
    "education_years": "Education, years",
    "apoe4": "APOE4 alleles",
    "mmse": "MMSE",
    "head_size_mm3": "Head size, mm³",
}


@cache
def _drawable() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def label_text(value: object, *, limit: int = 40) -> str:
    """Return `value` on one line, at most `limit` characters, with signs that the font has."""
    line = " ".join(str(value).split())
    known = "".join(sign if ord(sign) in _drawable() else MISSING for sign in line[: limit + 1])
    short = known if len(known) <= limit else known[: limit - 1] + "\u2026"
    # matplotlib leaves labels with a leading underscore out of legends
    return "\u2009" + short if short.startswith("_") else short


def strategy_label(strategy: str, *, limit: int = 40) -> str:
    """Return the words for a strategy: `brlp` is BrLP, the oracle is called a bound."""
    return _STRATEGIES.get(strategy) or label_text(_sentence_case(strategy), limit=limit)


def analysis_label(analysis: str) -> str:
    """Return the words for an analysis: `mmrm` is MMRM."""
    return _ANALYSES.get(analysis) or label_text(_sentence_case(analysis))


def covariate_label(covariate: str, *, limit: int = 40) -> str:
    """Return the words for a covariate: `hippocampus_mm3` is `Hippocampus, mm³`."""
    words = _sentence_case(covariate.removesuffix("_mm3"))
    unit = ", mm³" if covariate.endswith("_mm3") else ""
    return _COVARIATES.get(covariate) or label_text(words, limit=limit) + unit


def percent(share: float, digits: int = 0) -> str:
    """Return a share as percent: 0.05 is `5 %`."""
    return f"{100 * share:.{digits}f} %"


def _sentence_case(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:] or name
