"""A choice of people and its sample size, in words."""

from typing import Any

from reports.figures.labels import strategy_words
from reports.page.formats import MISSING, show_fraction, show_interval, show_size

Row = dict[Any, Any]


def describe_group(row: Row) -> str:
    """Return the words for a strategy at a fraction: `the top 40 % by BrLP`."""
    if row["fraction_enrolled"] >= 1:
        return "everyone eligible"
    fraction = show_fraction(row["fraction_enrolled"])
    return f"the top {fraction} by {strategy_words(row['strategy'])}"


def describe_size(row: Row) -> str:
    """Return the sample size in words: per arm where the arms are equal."""
    control, treatment = show_size(row["n_control"]), show_size(row["n_treatment"])
    if control == treatment:
        return f"{control} per arm"
    return f"{control} in the control arm and {treatment} in the treatment arm"


def describe_uncertainty(row: Row) -> str:
    """Return the interval of the sample size, with the sources of error that it includes."""
    arm = "" if row["n_control"] == row["n_treatment"] else " of the control arm"
    narrow = show_interval(row["n_control_lower"], row["n_control_upper"], show_size)
    wide = show_interval(row["n_control_lower_cohort"], row["n_control_upper_cohort"], show_size)
    if narrow == wide == MISSING:
        return "no interval was computed"
    if wide == MISSING:
        return (
            f"95 % interval{arm} {narrow} for the error of the simulation; that of cohort and "
            "prediction model was not computed"
        )
    simulated = "" if narrow == MISSING else f", {narrow} for that of the simulation"
    return f"95 % interval{arm} {wide} for the error of cohort and prediction model{simulated}"
