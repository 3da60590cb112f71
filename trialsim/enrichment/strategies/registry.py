"""The strategies by name: those of this package, and those that other packages bring."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from cohorts.sources.records import join_names
from trialsim.enrichment.strategies.fitted import Boosting, Regression, Stacked
from trialsim.enrichment.strategies.predicted import PredictedDecline
from trialsim.enrichment.strategies.strategy import Strategy
from trialsim.enrichment.strategies.unfitted import BaselineVolume, Oracle, RandomEnrollment
from trialsim.errors import DesignError

ENTRY_POINTS: Final = "trialsim.strategies"
"""The group of entry points under which another package's metadata name its strategies."""

_OWN: Final[Mapping[str, Strategy]] = {
    strategy.name: strategy
    for strategy in (
        RandomEnrollment(),
        BaselineVolume(),
        Regression(),
        Boosting(),
        PredictedDecline("auxiliary", "auxiliary"),
        PredictedDecline("brlp", "predictions"),
        Stacked(),
        Oracle(),
    )
}

_ATTRIBUTES: Final = (
    "name",
    "needs",
    "predicts_decline",
    "is_attainable",
    "enrolls_everyone",
    "score",
)


class Strategies(Mapping[str, Strategy]):
    """Every strategy by its name; another package's is imported when it is asked for by name.

    Raises
    ------
    DesignError
        Where another package's strategy is asked for and cannot be used, or two packages bring
        one of the same name.
    """

    def __getitem__(self, name: str) -> Strategy:
        """Return a strategy."""
        return _OWN[name] if name in _OWN else _load(_find_entry_points()[name])

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a strategy, without importing it."""
        return name in _OWN or name in _find_entry_points()

    def __iter__(self) -> Iterator[str]:
        """Yield the names in the order in which tables list strategies."""
        yield from _OWN
        yield from (name for name in _find_entry_points() if name not in _OWN)

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)


STRATEGIES: Final = Strategies()


def build_strategies(names: Sequence[str], *, given: Sequence[str] = ()) -> list[Strategy]:
    """Return the strategies called `names`, in that order.

    Parameters
    ----------
    names
        Of strategies of the package.
    given
        Those of a score file, which a refusal names too.

    Raises
    ------
    DesignError
        Naming each name that is not known, or given twice, or whose package cannot be used.
    """
    known = ", ".join(STRATEGIES)
    if given:
        known += f", and in the score file {', '.join(join_names(given))}"
    problems = [
        f"There is no strategy {name!r}; known are {known}."
        for name in names
        if name not in STRATEGIES
    ]
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    problems += [f"The strategy {name!r} is named twice." for name in repeated]
    if problems:
        raise DesignError(*problems)
    return [STRATEGIES[name] for name in names]


def order_strategies(names: Iterable[str]) -> list[str]:
    """Return names in the order in which tables list strategies, those of none by name.

    Examples
    --------
    >>> order_strategies(["mine", "oracle", "random", "file"])
    ['random', 'oracle', 'file', 'mine']
    """
    given = set(names)
    return [name for name in STRATEGIES if name in given] + sorted(given - set(STRATEGIES))


def list_unattainable(names: Iterable[str]) -> list[str]:
    """Return those of `names` that are bounds: strategies that no trial could carry out."""
    return [name for name in names if name in STRATEGIES and not STRATEGIES[name].is_attainable]


def list_packages(names: Sequence[str]) -> dict[str, str]:
    """Return the package and version of each strategy among `names` that another package brings."""
    found = _find_entry_points()
    return {name: _describe(found[name]) for name in names if name in found and name not in _OWN}


@cache
def _find_entry_points() -> Mapping[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise DesignError(
                f"The packages {_describe(other)} and {_describe(entry)} both bring a strategy "
                f"{entry.name!r}: remove one of them."
            )
    return found


@cache
def _load(entry: EntryPoint) -> Strategy:
    """Return the strategy behind an entry point, which names a strategy or a class of one."""
    whose = f"The strategy {entry.name!r} of {_describe(entry)}"
    try:
        found = entry.load()
        strategy: Strategy = found() if isinstance(found, type) else found
    except Exception as error:  # whatever another package's code may raise
        raise DesignError(f"{whose} cannot be imported from {entry.value}: {error}.") from error
    missing = [name for name in _ATTRIBUTES if not hasattr(strategy, name)]
    if missing:
        raise DesignError(f"{whose} has no {', '.join(missing)}: see trialsim.enrichment.Strategy.")
    if strategy.name != entry.name:
        raise DesignError(f"{whose} calls itself {strategy.name!r}: both names must be the same.")
    return strategy


def _describe(entry: EntryPoint) -> str:
    package = entry.dist
    return "an unnamed package" if package is None else f"{package.name} {package.version}"
