"""Names of what is compared in an evaluation."""

from typing import Final

MODEL: Final = "BrLP"
CARRY_FORWARD: Final = "carry forward"
AUXILIARY: Final = "auxiliary model alone"
REFERENCE: Final = "baseline table alone"

KEY: Final = ["participant_id", "horizon_months", "region"]
"""What a predicted volume belongs to, beside its method."""
