"""Any baseline, from its folder or by its name."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from brlp_models.baselines.baseline import Baseline, RegressionConfig
from brlp_models.baselines.config import WEIGHTS
from brlp_models.baselines.deformation import DeformationConfig, ScanDeformation
from brlp_models.baselines.extrapolation import EXTRAPOLATION
from brlp_models.baselines.follow_up import ImageBaseline
from brlp_models.baselines.latent_follow_up import LatentConfig, LatentFollowUp
from brlp_models.baselines.network import NetworkReader
from brlp_models.baselines.reader import LinearReader
from brlp_models.errors import ModelError, list_wrong_values
from brlp_models.model.files import CHECKSUMS, CONFIG, verify_model_folder

AnyBaseline = Baseline | ImageBaseline

BUNDLED: Final = ("image_regression",)


def load_baseline(source: Path) -> AnyBaseline:
    """Read and verify a baseline.

    Parameters
    ----------
    source
        Its folder; `image_regression`, the bundled one; or `mrextrap`, which needs no training.

    Raises
    ------
    ModelError
        Where the folder is none, or a file is missing, altered, or of another architecture.
    """
    if str(source) == EXTRAPOLATION.config.name:
        return EXTRAPOLATION
    folder = Path(__file__).parents[1] / source if str(source) in BUNDLED else source
    if not (folder / CONFIG).is_file() or not (folder / CHECKSUMS).is_file():
        raise ModelError(
            f"{folder} is no folder of a baseline (no {CONFIG} with {CHECKSUMS}); the bundled one: "
            f"{', '.join(BUNDLED)}."
        )
    verify_model_folder(folder)
    try:
        config = _CONFIGS.validate_json((folder / CONFIG).read_text(encoding="utf-8"))
    except ValidationError as error:
        if any(e["type"].startswith("union_tag") for e in error.errors()):
            raise ModelError(
                f"{folder} is no folder of a baseline: `trialsim train baseline` makes one, and "
                f"the bundled one is {', '.join(BUNDLED)}."
            ) from error
        wrong = list_wrong_values(error)
        raise ModelError(
            *(f"{folder / CONFIG}: {key or 'config'}: {text}." for key, text in wrong)
        ) from error
    if isinstance(config, DeformationConfig):
        return ImageBaseline(config, ScanDeformation.load(folder / WEIGHTS, config), folder)
    if isinstance(config, LatentConfig):
        return ImageBaseline(config, LatentFollowUp.load(folder / WEIGHTS, config), folder)
    return Baseline(config, _load_reader(config, folder / WEIGHTS), folder)


_CONFIGS: Final[TypeAdapter[RegressionConfig | DeformationConfig | LatentConfig]] = TypeAdapter(
    Annotated[RegressionConfig | DeformationConfig | LatentConfig, Field(discriminator="name")]
)


def _load_reader(config: RegressionConfig, path: Path) -> LinearReader | NetworkReader | None:
    if config.features is None:
        return None
    if config.network is not None:
        return NetworkReader.load(path, config.network)
    return LinearReader.load(path)
