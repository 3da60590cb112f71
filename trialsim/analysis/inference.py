"""How a mixed model's treatment effect is judged."""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from trialsim.errors import DesignError

DegreesOfFreedom = Literal["satterthwaite", "kenward_roger"]
Covariance = Literal["pooled", "by_arm"]
StandardError = Literal["model", "cr0", "cr2"]

_CHOICES: Final = {
    "degrees_of_freedom": get_args(DegreesOfFreedom),
    "covariance": get_args(Covariance),
    "standard_error": get_args(StandardError),
}


@dataclass(frozen=True)
class Inference:
    """Degrees of freedom, covariance and standard error of a mixed model.

    Attributes
    ----------
    degrees_of_freedom
        "satterthwaite", or "kenward_roger", which enlarges the standard error besides.
    covariance
        "pooled" over the arms, or one for each ("by_arm").
    standard_error
        From the "model", or clustered by participant: "cr0", or "cr2" with Bell & McCaffrey's
        correction.

    Raises
    ------
    DesignError
        An unknown word, or Kenward-Roger with a clustered standard error.
    """

    degrees_of_freedom: DegreesOfFreedom = "satterthwaite"
    covariance: Covariance = "pooled"
    standard_error: StandardError = "model"

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}."
            for name, known in _CHOICES.items()
            if getattr(self, name) not in known
        ]
        if self.kenward_roger and self.is_clustered:
            problems.append(
                'degrees_of_freedom "kenward_roger" corrects the model\'s standard error; with '
                f'standard_error "{self.standard_error}" use "satterthwaite".'
            )
        if problems:
            raise DesignError(*problems)

    def list_changes(self) -> list[str]:
        """Return, as the protocol writes it, what differs from a plain mixed model."""
        plain = vars(PLAIN)
        return [f'{name} = "{own}"' for name, own in vars(self).items() if own != plain[name]]

    @property
    def kenward_roger(self) -> bool:
        """Whether the variance is Kenward & Roger's."""
        return self.degrees_of_freedom == "kenward_roger"

    def for_looks(self) -> "Inference":
        """Return how a trial's looks are judged: a model's error by Kenward & Roger.

        At an early look few people have every visit. A standard error that takes the covariance
        for known is then some percent too small, so that alpha is not kept, and its 1 / se^2
        promises more information than there is.
        """
        return self if self.is_clustered else replace(self, degrees_of_freedom="kenward_roger")

    @property
    def by_arm(self) -> bool:
        """Whether each arm has a covariance of its own."""
        return self.covariance == "by_arm"

    @property
    def is_clustered(self) -> bool:
        """Whether standard errors come from the participants' own residuals."""
        return self.standard_error != "model"


PLAIN: Final = Inference()
"""Satterthwaite's degrees of freedom, one covariance, the model's standard error."""
