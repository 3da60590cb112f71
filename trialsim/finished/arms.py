"""Which arm each person was randomized to."""

import pandas as pd

from cohorts.counting import tally
from cohorts.sources.values import parse_text
from trialsim.errors import DesignError

CONTROL, TREATMENT = "control", "treatment"
_BLINDED = frozenset({"blinded", "masked"})


def read_arms(frame: pd.DataFrame, people: pd.Series, control: str | None) -> pd.Series | None:
    """Return 0 (control) or 1 by person; None where the arms are blinded.

    Parameters
    ----------
    frame
        The trial's table; `arm` is absent, empty or "blinded" while the trial is blinded.
    people
        Who each row is about.
    control
        Value of `arm` that is the control; "control" when None.

    Raises
    ------
    DesignError
        Arms that are not two, not named control and treatment, or not one a person.
    """
    if "arm" not in frame:
        return None
    values = parse_text(frame["arm"]).set_axis(people.to_numpy())
    names = sorted(values.dropna().unique())
    if not names or set(map(str.lower, names)) <= _BLINDED:
        return None
    problems = _find_naming_problems(names, control) + _find_people_problems(values)
    if problems:
        raise DesignError(*problems)
    first = control or next(name for name in names if name.lower() == CONTROL)
    return (values[~values.index.duplicated()] != first).astype(float)


def _find_naming_problems(names: list[str], control: str | None) -> list[str]:
    listed = ", ".join(names)
    if len(names) != 2:
        return [
            f"arm must hold two arms, control and treatment, got {len(names)}: {listed}; "
            "give the table of one comparison."
        ]
    if control is not None:
        if control in names:
            return []
        return [
            f"arm holds {listed}; none is the control {control}: name one of them (--control NAME)."
        ]
    if {name.lower() for name in names} != {CONTROL, TREATMENT}:
        return [
            f"arm must hold control and treatment, got {listed}: say which is the control "
            "(--control NAME), or call it control."
        ]
    return []


def _find_people_problems(values: pd.Series) -> list[str]:
    by_person = values.groupby(level=0)
    none = by_person.count() < by_person.size()
    both = (by_person.min() != by_person.max()) & ~none
    problems = []
    if both.any():
        problems.append(
            f"{tally(both.sum(), 'people are')} in both arms (first: {both.index[both][0]}); "
            "each was randomized to one."
        )
    if none.any():
        problems.append(
            f"arm is missing for {tally(none.sum(), 'people')} (first: {none.index[none][0]}): "
            "every row of a person names it."
        )
    return problems
