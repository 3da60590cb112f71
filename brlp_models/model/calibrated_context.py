"""What told the context while a model was calibrated, held against what tells it now."""

from brlp_models.model.config import ModelConfig


def describe_context(identity: str | None) -> str:
    """Return what tells a model's context: a baseline, or the model's own auxiliary model."""
    return "the auxiliary model" if identity is None else identity


def tell_other_context(config: ModelConfig, identity: str | None) -> str | None:
    """Return that a model's sds were measured with another context; None where they were not.

    Parameters
    ----------
    config
        The model's.
    identity
        Of the baseline that tells the context now; None: the auxiliary model does.
    """
    if not config.volume_error or config.calibrated_context == identity:
        return None
    return (
        f"The sds of {config.name} (volume_error) were measured while its context was told by "
        f"{describe_context(config.calibrated_context)}; it is told by "
        f"{describe_context(identity)} here, so intervals may be too narrow or too wide."
    )
