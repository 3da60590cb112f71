"""What the numbers of a prediction depend on."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from brlp_models.errors import ModelError
from brlp_models.model.calibrated_context import apply_calibration
from brlp_models.model.config import Calibration
from brlp_models.model.files import read_config
from brlp_models.model.model import BrlpModel
from brlp_models.model.schedule import Sampler

Samples = int | Literal["auto"]


@dataclass(frozen=True)
class Part:
    """The part of a cohort that one of several processes predicts.

    People are dealt out in the groups that they are drawn in, so that a person's numbers are the
    same, bit for bit, whatever the part.

    Parameters
    ----------
    number
        From 0 to `of` - 1.
    of
        How many parts there are.
    people
        Only the groups that these are in; all when empty.
    """

    number: int = 0
    of: int = 1
    people: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether it is everyone."""
        return self.of == 1 and not self.people

    def pick(self, groups: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """Return the groups of the part."""
        own = groups[self.number :: self.of]
        return [group for group in own if not self.people or self.people & {*group}]

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Return the part that `i/n` names, 1/n to n/n.

        Raises
        ------
        ModelError
            Where it names none.

        Examples
        --------
        >>> Part.parse("2/8")
        Part(number=1, of=8, people=frozenset())
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise ModelError(f"A shard is i/n with i from 1 to n, such as 1/8; got {text!r}.")
        return cls(int(number) - 1, int(of))


@dataclass(frozen=True)
class PredictionSettings:
    """What the numbers depend on, beside model and person.

    Parameters
    ----------
    horizons_months
        Months after the baseline visit.
    samples
        Draws for each person and horizon; `auto` draws until the standard error of the predicted
        endpoint's volume is under `tolerance_percent` of it (at most 64).
    seed, sampler, num_inference_steps
        Of the draws.
    tolerance_percent
        For `auto`.
    until_months
        The latest visit up to this month is the start; 0 uses the baseline visit alone.
    threads
        Of the processor, for one person; another number changes the last digits.
    context_from
        The identity of what tells the context of the endpoint; None: the auxiliary model.
    """

    horizons_months: tuple[float, ...]
    samples: Samples
    seed: int
    sampler: Sampler
    num_inference_steps: int
    tolerance_percent: float
    until_months: float
    threads: int
    context_from: str | None

    def __post_init__(self) -> None:
        problems = []
        if not self.horizons_months:
            problems.append("At least one horizon (months after baseline) is needed.")
        problems += [
            f"A horizon must be after month {self.until_months:g} of the starting visit, "
            f"got {horizon:g}."
            for horizon in self.horizons_months
            if not horizon > self.until_months
        ]
        if len(set(self.horizons_months)) < len(self.horizons_months):
            problems.append(f"Horizons must be distinct, got {self.horizons_months}.")
        if self.samples != "auto" and self.samples < 1:
            problems.append(f"samples must be at least 1 or auto, got {self.samples}.")
        if self.threads < 1:
            problems.append(f"threads must be at least 1, got {self.threads}.")
        if problems:
            raise ModelError(*problems)

    def describe(self, model: BrlpModel) -> dict[str, Any]:
        """Return everything that must be equal for two runs to give the same numbers."""
        own = {"model_id": model.model_id, "precision": model.precision, **asdict(self)}
        if (measured := self._digest_calibration(model)) is not None:
            own["calibration"] = measured
        return own

    def _digest_calibration(self, model: BrlpModel) -> str | None:
        """Return a digest of what a model is calibrated with; None for what its folder says."""
        if model.folder is None:
            return None
        kept = apply_calibration(read_config(model.folder), self.context_from)
        parts = set(Calibration.model_fields)
        now, before = (one.model_dump_json(include=parts) for one in (model.config, kept))
        return None if now == before else hashlib.sha256(now.encode()).hexdigest()[:12]
