"""Text from the data, made fit to be drawn.

A name that someone typed may hold control characters, ten thousand letters or signs that the font
lacks; a figure shows what it can and never fails for a name.
"""

from functools import cache
from typing import Final

MISSING: Final = "\u25a1"

_STRATEGIES: Final = {
    "brlp": "BrLP",
    "oracle": "Oracle (unattainable bound)",
    "random": "Random",
    "baseline_volume": "Baseline volume",
    "stacked": "Stacked score",
}

_ANALYSES: Final = {
    "mmrm": "MMRM",
    "mmrm_score": "MMRM + score",
    "ancova": "ANCOVA",
    "ancova_score": "ANCOVA + score",
    "random_slope_score": "Random slope + score",
}

_ESTIMATORS: Final = {
    "unadjusted": "Unadjusted",
    "change": "Change from baseline",
    "ancova": "ANCOVA",
    "procova": "PROCOVA (ANCOVA + twin)",
    "procova_interacted": "PROCOVA, twin x arm",
    "weighted_procova": "Weighted PROCOVA",
    "aipw": "AIPW",
    "ppi": "PPI++",
    "mmrm": "MMRM",
    "procova_mmrm": "PROCOVA-MMRM",
    "random_slope": "Random slope",
    "random_slope_twin": "Random slope + twin",
}

_COVARIATES: Final = {
    "age_years": "Age, years",
    "is_female": "Women",
    "sex=F": "Women",
    "sex=M": "Men",
    "sex F": "Women",
    "sex M": "Men",
    "is_mci": "MCI",
    "is_ad": "AD",
    "education_years": "Education, years",
    "apoe4": "APOE4 alleles",
    "mmse": "MMSE",
    "head_size_mm3": "Head size, mm³",
}


@cache
def _drawable() -> frozenset[int]:
    # words on the screen and on pages need no font
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def drawable_text(text: str) -> str:
    """Return `text` with a box in place of each sign that the font lacks."""
    if text.isascii() and text.isprintable():  # the font has these
        return text
    drawable = _drawable()
    return "".join(sign if ord(sign) in drawable else MISSING for sign in text)


def label_text(value: object, *, limit: int = 40) -> str:
    """Return `value` on one line, at most `limit` characters, with signs that the font has."""
    line = drawable_text(" ".join(str(value).split())[: limit + 1])
    short = line if len(line) <= limit else line[: limit - 1] + "\u2026"
    # matplotlib leaves labels with a leading underscore out of legends
    return "\u2009" + short if short.startswith("_") else short


def strategy_label(strategy: str, *, limit: int = 40) -> str:
    """Return the words for a strategy: `brlp` is BrLP, the oracle is called a bound."""
    return _STRATEGIES.get(strategy) or label_text(_sentence_case(strategy), limit=limit)


def strategy_words(strategy: str) -> str:
    """Return the strategy as it stands inside a sentence: `random`, but `BrLP`."""
    label = strategy_label(strategy, limit=80)
    return label if label[1:] != label[1:].lower() else label[:1].lower() + label[1:]


def analysis_label(analysis: str) -> str:
    """Return the words for an analysis: `mmrm` is MMRM."""
    return _ANALYSES.get(analysis) or label_text(_sentence_case(analysis))


def estimator_label(estimator: str) -> str:
    """Return the words for an estimator of a finished trial: `ppi` is PPI++."""
    return _ESTIMATORS.get(estimator) or label_text(_sentence_case(estimator))


def covariate_label(covariate: str, *, limit: int = 40) -> str:
    """Return the words for a covariate: `hippocampus_mm3` is `Hippocampus, mm³`.

    The share with a diagnosis, `diagnosis=MCI` or `diagnosis MCI`, is called by the diagnosis, and
    a level that names its category, `site site-03`, by the level.
    """
    category, _, level = covariate.partition(" ")
    if level.casefold().startswith(category.casefold()):
        covariate = level
    covariate = covariate.removeprefix("diagnosis=").removeprefix("diagnosis ")
    words = _sentence_case(covariate.removesuffix("_mm3"))
    unit = ", mm³" if covariate.endswith("_mm3") else ""
    return _COVARIATES.get(covariate) or label_text(words, limit=limit) + unit


def assumption_label(parameter: str) -> str:
    """Return the words for what a sensitivity analysis moves: `sd of change` is SD of change."""
    words = label_text(_sentence_case(parameter), limit=80)
    return words.replace("Sd of", "SD of")


def percent(share: float, digits: int = 0) -> str:
    """Return a share as percent: 0.05 is `5 %`, with a space that never breaks."""
    return f"{100 * share:.{digits}f}\u00a0%"


def fraction_label(fraction: float) -> str:
    """Return a fraction enrolled as it was given: 0.4 is `40 %`, 0.125 is `12.5 %`."""
    return percent(fraction, 0 if abs(100 * fraction - round(100 * fraction)) < 1e-6 else 1)


def _sentence_case(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:] or name
