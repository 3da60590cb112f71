"""How people leave a trial."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class DropOut:
    """How people leave.

    Attributes
    ----------
    control, treatment
        Share of the arm that has left by the last visit, under a constant hazard; treatment as
        control when None.
    decline_hazard_ratio
        Hazard ratio for each standard deviation of decline seen at the previous visit (missing at
        random); 1 for none.
    unseen_shift_control, unseen_shift_treatment
        What is added to a person's outcomes after leaving, in the unit of the endpoint (missing not
        at random); 0 for none.
    """

    control: float = 0.0
    treatment: float | None = None
    decline_hazard_ratio: float = 1.0
    unseen_shift_control: float = 0.0
    unseen_shift_treatment: float = 0.0

    @property
    def treated(self) -> float:
        """Share of the treatment arm that has left by the last visit."""
        return self.control if self.treatment is None else self.treatment

    @property
    def depends_on_outcome(self) -> bool:
        """Whether leaving depends on the decline seen before."""
        return self.decline_hazard_ratio != 1.0

    def find_problems(self) -> list[str]:
        """Return one sentence for each value that cannot be."""
        shares = {"control": self.control, "treatment": self.treated}
        problems = [
            f"dropout.{name} must be a share from 0 to below 1, got {share:g}."
            for name, share in shares.items()
            if not 0 <= share < 1
        ]
        if not (0 < self.decline_hazard_ratio < math.inf):
            problems.append(
                "dropout.decline_hazard_ratio must be greater than 0 (1 for none), got "
                f"{self.decline_hazard_ratio:g}."
            )
        return problems
