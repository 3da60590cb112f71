"""What was measured of a model while something told its context, where that tells it now."""

from brlp_models.model.config import Calibration, ModelConfig


def describe_context(identity: str | None) -> str:
    """Return what tells a model's context: a baseline, or the model's own auxiliary model."""
    return "the auxiliary model" if identity is None else identity


def apply_calibration(config: ModelConfig, identity: str | None) -> ModelConfig:
    """Return a model's configuration with what was measured while this told its context.

    Parameters
    ----------
    config
        The model's.
    identity
        Of the baseline that tells the context; None: the auxiliary model does.

    Returns
    -------
    ModelConfig
        `config` itself where nothing was measured with that baseline.
    """
    found = config.calibrations.get(identity) if identity is not None else None
    if found is None:
        return config
    measured = dict(found)
    if found.guidance is None:
        del measured["guidance"]
    return config.model_copy(update=measured)


def keep_calibration(
    config: ModelConfig, identity: str | None, measured: ModelConfig
) -> ModelConfig:
    """Return a model's configuration that holds also what was measured now.

    Parameters
    ----------
    config
        The model's.
    identity
        Of the baseline that told the context meanwhile; None: the auxiliary model did.
    measured
        A configuration with what was measured, as `apply_calibration` shall return it.
    """
    parts = {name: getattr(measured, name) for name in Calibration.model_fields}
    if identity is None:
        return config.model_copy(update=parts)
    known = {**config.calibrations, identity: Calibration(**parts)}
    return config.model_copy(update={"calibrations": known})


def tell_other_context(config: ModelConfig, identity: str | None) -> str | None:
    """Return that a model's sds were measured with another context; None where they were not.

    Parameters
    ----------
    config
        The model's.
    identity
        Of the baseline that tells the context now; None: the auxiliary model does.
    """
    if identity is None or identity in config.calibrations or not config.volume_error:
        return None
    known = ", ".join(config.calibrations)
    others = f" (others that it holds: {known})" if known else ""
    return (
        f"What predicted changes are divided by and the sds of {config.name} (volume_gain, "
        f"volume_error) were measured while its context was told by the auxiliary model{others}; "
        f"it is told by {identity} here, so changes may be too small or too large and intervals "
        "too narrow or too wide. `trialsim model calibrate --context-from` measures them."
    )
