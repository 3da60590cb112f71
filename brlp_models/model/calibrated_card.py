"""What the card of a calibrated copy says before that of the model it was made of."""

from collections.abc import Sequence

from brlp_models.model.calibrated_context import describe_context
from brlp_models.model.config import ModelConfig
from brlp_models.model.files import CARD
from brlp_models.model.model import BrlpModel
from cohorts.cohort import Cohort


def render_calibrated_card(
    model: BrlpModel,
    measured: ModelConfig,
    people: Cohort,
    found: Sequence[str],
    *,
    context: str | None,
) -> str:
    """Return the card of a copy: what was measured on whom, and the card of before.

    Parameters
    ----------
    model
        What was calibrated.
    measured
        The copy's configuration where the context is told as it was meanwhile.
    people
        On whom.
    found
        A sentence for each thing that was found.
    context
        The identity of the baseline that told the context; None: the auxiliary model did.
    """
    before = (model.folder / CARD).read_text(encoding="utf-8") if model.folder else ""
    gains = [
        f"{region}: predicted changes are divided by {gain:.2f}"
        for region, gain in measured.volume_gain.items()
    ]
    synthetic = "SYNTHETIC people: no evidence about patients" if people.is_synthetic else "people"
    lines = [
        f"# A calibrated copy of {model.model_id}",
        "",
        f"Measured by `trialsim model calibrate` on the cohort {people.name}, "
        f"{len(people.participants)} {synthetic}. None of them can judge this copy. Their context "
        f"was told by {describe_context(context)}; told by something else, the copy predicts as "
        f"{model.model_id} does.",
        "",
        *(f"- {text.removesuffix('.')}." for text in (*gains, *found)),
        "",
        f"Regions that are reported then: {', '.join(measured.regions)}. What follows is the card "
        f"of {model.model_id}; its numbers on changes and intervals are not those of this copy "
        "where its context is told so.",
        "",
        before,
    ]
    return "\n".join(lines)
