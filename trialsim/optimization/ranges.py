"""What is searched over, as a protocol's `[optimize]` table holds it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from math import comb
from typing import Any, Final

from trialsim.analyses import ANALYSES
from trialsim.costs import MOST_MONEY
from trialsim.errors import DesignError
from trialsim.optimization.screening_stages import ScreeningStage, build_stage
from trialsim.plain_values import build_from_values

_MOST_SCHEDULES: Final = 50_000
"""Out of how many the search takes place; each is combined with all choices of people."""

_FRACTIONS: Final = tuple(round(0.2 + 0.05 * k, 2) for k in range(17))


@dataclass(frozen=True)
class SearchRanges:
    """The designs that are compared; every attribute is a key of `[optimize]`.

    Attributes
    ----------
    fractions_enrolled
        Shares of the screened people, each above 0 and at most 1.
    allocation_ratios
        Treatment : control, each above 0.
    visits_months
        Months after baseline at which a visit may be; every subset is a schedule. Empty: every
        half year up to the last visit of `[design]`, besides its own visits.
    n_visits
        How many visits a schedule may have, baseline included, each at least 2.
    durations_months
        At which of these months the last visit may be; any when empty.
    analyses
        Names of `trialsim.design.ANALYSES`; those of `[design]` when empty.
    run_in_months
        Lengths of a run-in before randomization, whose slope chooses the people; none when empty.
    run_in_cost
        Of each person who enters the run-in; two screening scans when None.
    run_in_dropout
        Share who leave during the run-in, from 0 to below 1.
    stages
        Screening in stages, cheapest first, whose thresholds are searched together; none when
        empty.
    n_confirmed
        How many of the best designs are simulated.
    slowing_sd
        Standard deviation of what is believed of the slowing, 0 or more; above 0 the target is
        assurance, power averaged over that belief.

    Raises
    ------
    DesignError
        One sentence for each value that cannot be.
    """

    fractions_enrolled: tuple[float, ...] = _FRACTIONS
    allocation_ratios: tuple[float, ...] = (1.0, 1.5, 2.0)
    visits_months: tuple[float, ...] = ()
    n_visits: tuple[int, ...] = (2, 3, 4, 5)
    durations_months: tuple[float, ...] = ()
    analyses: tuple[str, ...] = ()
    run_in_months: tuple[float, ...] = ()
    run_in_cost: float | None = None
    run_in_dropout: float = 0.0
    stages: tuple[ScreeningStage, ...] = ()
    n_confirmed: int = 5
    slowing_sd: float = 0.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, list):
                object.__setattr__(self, one.name, tuple(value))
        problems = [*self._find_list_problems(), *self._find_number_problems()]
        problems += [
            f"analyses may hold {', '.join(ANALYSES)}, got {name!r}."
            for name in self.analyses
            if name not in ANALYSES
        ]
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            problems.append(f"Each stage needs its own name, got {', '.join(names)}.")
        if problems:
            raise DesignError(*problems)

    def _find_list_problems(self) -> Iterator[str]:
        if not self.fractions_enrolled or any(not 0 < f <= 1 for f in self.fractions_enrolled):
            yield "fractions_enrolled must lie above 0 and at most at 1, got " + _show(
                self.fractions_enrolled
            )
        if not self.n_visits or any(n < 2 or n != int(n) for n in self.n_visits):
            yield f"n_visits counts baseline: whole numbers from 2, got {_show(self.n_visits)}"
        if not self.allocation_ratios:
            yield "allocation_ratios must list at least one ratio, got none."
        for name in ("allocation_ratios", "visits_months", "durations_months", "run_in_months"):
            values = getattr(self, name)
            if any(not 0 < value < 600 for value in values):
                yield f"{name} must be greater than 0, got {_show(values)}"

    def _find_number_problems(self) -> Iterator[str]:
        if not 0 <= self.run_in_dropout < 1:
            yield f"run_in_dropout must lie from 0 to below 1, got {self.run_in_dropout:g}."
        if self.run_in_cost is not None and not 0 <= self.run_in_cost <= MOST_MONEY:
            yield (
                f"run_in_cost must be 0 or more and at most {MOST_MONEY:g}, got "
                f"{self.run_in_cost:g}."
            )
        if not 0 <= self.slowing_sd < 1:
            yield f"slowing_sd must lie from 0 to below 1, got {self.slowing_sd:g}."
        if self.n_confirmed < 0:
            yield f"n_confirmed must be 0 or more, got {self.n_confirmed}."

    def list_schedules(self, own: tuple[float, ...]) -> list[tuple[float, ...]]:
        """Return the months of the visits of each schedule, baseline first.

        Parameters
        ----------
        own
            `visits_months` of the design: nothing is searched beyond its last visit, where nobody
            was seen.

        Raises
        ------
        DesignError
            A visit beyond the last one, or no schedule at all.
        """
        last = own[-1]
        months = sorted({*self.visits_months} or {*own[1:], *_list_half_years(last)})
        beyond = [month for month in (*months, *self.durations_months) if month > last]
        if beyond:
            raise DesignError(
                f"optimize: months {_show(beyond).rstrip('.')} lie beyond month {last:g}, the last "
                "visit of design.visits_months, where nobody's decline is known."
            )
        n_schedules = sum(comb(len(months), int(n) - 1) for n in {*self.n_visits})
        if n_schedules > _MOST_SCHEDULES:
            raise DesignError(
                f"optimize: {n_schedules:,} schedules come of {len(months)} visits_months with "
                f"n_visits {_show(self.n_visits).rstrip('.')}; at most {_MOST_SCHEDULES:,} are "
                "searched: give fewer months, or numbers of visits."
            )
        found = [
            (0.0, *chosen)
            for n in sorted({int(n) for n in self.n_visits})
            for chosen in combinations(months, n - 1)
            if not self.durations_months or chosen[-1] in self.durations_months
        ]
        if not found:
            raise DesignError(
                "optimize: no schedule ends at durations_months "
                f"{_show(self.durations_months).rstrip('.')} with so many visits as n_visits "
                f"{_show(self.n_visits).rstrip('.')} out of the months {_show(months)}"
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `[optimize]` holds them."""
        return asdict(self)


def build_ranges(values: Mapping[str, Any], *, source: str = "optimize") -> SearchRanges:
    """Return the ranges of plain values.

    Raises
    ------
    DesignError
        A key is unknown, a value cannot be.
    """
    stages = tuple(build_stage(one, source=f"{source}.stages") for one in values.get("stages", ()))
    return build_from_values(SearchRanges, {**values, "stages": stages}, source)


def _list_half_years(last: float) -> Iterator[float]:
    yield from (6.0 * k for k in range(1, int(last // 6) + 1))


def _show(values: Any) -> str:
    return f"{', '.join(f'{value:g}' for value in values) or 'none'}."
