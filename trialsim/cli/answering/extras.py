"""The optional parts of an installation, and the sentence for a command whose part is missing."""

from typing import Final

EXTRA_OF: Final = {
    "torch": "imaging",
    "monai": "imaging",
    "einops": "imaging",
    "safetensors": "imaging",
    "SimpleITK": "imaging",
    "nilearn": "imaging",
    "accelerate": "train",
    "tensorboard": "train",
    "typst": "documents",
    "docx": "documents",
    "pyreadstat": "tables",
    "openpyxl": "tables",
    "dcm2niix": "dicom",
    "shiny": "explore",
    "starlette": "explore",
    "uvicorn": "explore",
    "dask": "cluster",
    "distributed": "cluster",
    "dask_jobqueue": "cluster",
    "fsspec": "cluster",
}
"""The extra that brings a package which `pip install trialsim` alone does not install."""


def describe_missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return the sentence for a package that an extra brings; None for any other.

    Examples
    --------
    >>> describe_missing_extra(ModuleNotFoundError("No module named 'x'", name="monai.networks"))
    "This needs monai, which is not installed: pip install 'trialsim[imaging]' brings it."
    """
    package = (error.name or "").split(".")[0]
    if package not in EXTRA_OF:
        return None
    return (
        f"This needs {package}, which is not installed: pip install "
        f"'trialsim[{EXTRA_OF[package]}]' brings it."
    )
