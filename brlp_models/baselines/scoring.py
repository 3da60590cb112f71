"""A baseline's predictions of the people of a cohort."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from brlp_models.baselines.baseline import Baseline, interpolate_change
from brlp_models.baselines.follow_up import predict_image_changes
from brlp_models.baselines.loading import AnyBaseline
from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.files import CHECKSUMS
from brlp_models.model.model import BrlpModel
from brlp_models.model.threads import limited_threads
from brlp_models.model.training_people import find_training_people, standardize_person
from brlp_models.prediction.start import People, find_start_visit, place_start
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.check import check_scan
from brlp_models.scans.grid import Grid
from brlp_models.scans.preprocessing import PreprocessedScan
from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import StorageError, TrialsimError
from cohorts.files.atomic import compute_sha256, write_file_with


def predict_changes(
    baseline: AnyBaseline,
    model: BrlpModel,
    cohort: Cohort,
    cache: ScanCache,
    *,
    horizons_months: Sequence[float] = (),
    until_months: float = 0.0,
    on_person: Callable[[], None] = lambda: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the percent change of the hippocampus that a baseline expects of each person.

    What makes an image is measured for the model's endpoint, since the last scan that is seen.

    Parameters
    ----------
    baseline
        From `load_baseline`.
    model
        Brings scans onto its grid, which must be the baseline's; its contrast is not imposed on
        them, since contrast is among what is read.
    cohort
        The people; none of them may be among those that the baseline learned from.
    cache
        Of preprocessed scans.
    horizons_months
        Months after baseline, between those that it was fitted for or they themselves; these where
        left out.
    until_months
        The latest visit that may be seen; only what makes an image sees a later one than the
        baseline.
    on_person
        Called after each person.

    Returns
    -------
    tuple of DataFrame
        Index `participant_id`, a column for each horizon, NaN where the table lacks something; and
        `participant_id`, `problem` of everyone whose scan cannot be read.

    Raises
    ------
    ModelError
        For people it learned from, another grid, or where nobody's scan can be read.
    """
    refuse_people_learned_from(baseline, cohort)
    table, months = cohort.baseline(), list(horizons_months or baseline.config.horizons_months)
    if not isinstance(baseline, Baseline):
        changes, problems = {}, {}
        for name, answer in predict_image_changes(
            baseline, model, cohort, cache, months, until_months=until_months
        ):
            if isinstance(answer, str):
                problems[name] = answer
            else:
                changes[name] = answer
            on_person()
        if not changes:
            raise _refuse_everybody(problems)
        found = pd.DataFrame.from_dict(changes, orient="index", columns=months)
        return found.reindex(table.index), _list_failures(problems)
    if until_months > 0:
        raise ModelError(f"{baseline.config.name} reads the baseline visit alone.")
    if not baseline.reads_scans:
        return interpolate_change(baseline.predict_change(table), months), _list_failures({})
    images, problems = read_baseline_scans(
        model, baseline.config.get_grid(), cohort, cache, on_person
    )
    if not images:
        raise _refuse_everybody(problems)
    found = baseline.predict_change(table.loc[list(images)], images.values(), model=model)
    return interpolate_change(found, months).reindex(table.index), _list_failures(problems)


def _refuse_everybody(problems: Mapping[str, str]) -> ModelError:
    """Return the error of a cohort of which nobody has scans to read, with one person's reason."""
    first = min(problems.values(), default="there are none")
    return ModelError(
        f"None of {tally(len(problems), 'people')} have scans to read; the first: {first}"
    )


def refuse_people_learned_from(baseline: AnyBaseline, cohort: Cohort) -> None:
    """Raise `ModelError` where the baseline learned from some of a cohort's people."""
    if baseline.folder is None:
        return
    people = [str(name) for name in cohort.participants["participant_id"]]
    known = find_training_people(baseline.folder, people)
    if known:
        raise ModelError(
            f"{baseline.config.name} learned from {len(known)} of these "
            f"{tally(len(people), 'people')} "
            f"(first: {known[0]}); it can only score others."
        )


def read_baseline_scans(
    model: BrlpModel,
    grid: Grid | None,
    cohort: Cohort,
    cache: ScanCache,
    on_person: Callable[[], None] = lambda: None,
) -> tuple[dict[str, npt.NDArray[np.uint8]], dict[str, str]]:
    """Return everyone's baseline scan on the model's grid, 0 to 255, and who has which problem.

    Parameters
    ----------
    model, cohort, cache, on_person
        As in `predict_changes`.
    grid
        Where the scans are wanted; the model's own where None.

    Raises
    ------
    ModelError
        Where the model's grid is another one.
    """
    refuse_other_grid(grid, model.config)
    as_it_is = replace(model, config=model.config.model_copy(update={"white_over_gray": None}))
    images: dict[str, npt.NDArray[np.uint8]] = {}
    problems: dict[str, str] = {}
    people = People(cohort)
    for name in cohort.participants["participant_id"].astype(str):
        own = people.select(name)
        try:
            with limited_threads(1):
                visit = find_start_visit(own, name, until_months=0.0)
                images[name] = _quantize(place_start(as_it_is, own, visit, cache))
        except StorageError:
            raise
        except TrialsimError as error:
            problems[name] = " ".join(error.problems)
        on_person()
    return images, problems


def refuse_other_grid(grid: Grid | None, config: ModelConfig) -> None:
    """Raise `ModelError` where a baseline reads scans on another grid than a model's."""
    if grid is not None and grid != Grid.of_config(config):
        raise ModelError(
            f"The baseline reads scans on another grid than that of the model {config.name}."
        )


def predict_own_changes(
    baseline: AnyBaseline, cohort: Cohort, *, horizons_months: Sequence[float]
) -> pd.DataFrame:
    """Return what is expected of people whom a baseline learned from by what learned from others.

    Parameters
    ----------
    baseline
        From `load_baseline`.
    cohort
        Some of them may be among those that it learned from.
    horizons_months
        As in `predict_changes`.

    Returns
    -------
    DataFrame
        As `predict_changes`, of those people alone; without rows where there are none.

    Raises
    ------
    ModelError
        Where the file beside the folder is gone, is damaged or of another baseline, or lacks
        somebody, or where others have the names of those that it learned from.
    """
    people = [str(name) for name in cohort.participants["participant_id"]]
    known = [] if baseline.folder is None else find_training_people(baseline.folder, people)
    if baseline.folder is None or not known:
        return pd.DataFrame(columns=list(horizons_months))
    path = _locate_cross_fitted(baseline.folder)
    refused = (
        f"{baseline.config.name} learned from {len(known)} of these {tally(len(people), 'people')} "
        f"(first: {known[0]})"
    )
    if not path.is_file():
        raise ModelError(
            f"{refused}; it can only score others, and what was fitted without them ({path}) is "
            "not there."
        )
    table = _read_cross_fitted(path, baseline)
    # as people are told apart where it is recorded whom it learned from
    names = [standardize_person(name) for name in known]
    lacking = [name for name, own in zip(known, names, strict=True) if own not in table.index]
    if lacking:
        raise ModelError(f"{refused}, of whom {path} lacks {len(lacking)} (first: {lacking[0]}).")
    changes = table.loc[names].set_axis(pd.Index(known, name="participant_id"))
    if _AGE in changes:
        _refuse_other_people(changes.pop(_AGE), cohort.baseline().loc[known, _AGE], path)
    return interpolate_change(changes, horizons_months)


def _refuse_other_people(learned: pd.Series, ages: pd.Series, path: Path) -> None:
    """Raise `ModelError` where ages tell that people are others than those of their names."""
    apart = (ages - learned).abs() > _SAME_AGE_YEARS
    if apart.any():
        place = int(apart.to_numpy().argmax())
        found = (
            f"{ages.index[place]}, {ages.iloc[place]:.1f} years; there {learned.iloc[place]:.1f}"
        )
        raise ModelError(
            f"{tally(apart.sum(), 'people have')} names of people of {path.name}, and "
            "another age (first: "
            f"{found}), so what is expected there is not of them: people of two cohorts need names "
            "of their own (simulated ones: `trialsim cohort synthesize --label`)."
        )


def write_cross_fitted(
    changes: pd.DataFrame, ages: pd.Series, folder: Path, *, written: Path | None = None
) -> None:
    """Write beside a baseline's folder what others than itself expect of its own people.

    Parameters
    ----------
    changes
        Percent change, index `participant_id`, a column for each horizon.
    ages
        Of the same people at baseline, by which others of the same names are told apart.
    folder
        The baseline's, whose checksums the file names.
    written
        Where the baseline is until it takes the place of `folder`.
    """
    table = pa.Table.from_pandas(changes.rename(columns=str).assign(**{_AGE: ages}))
    kept = {**(table.schema.metadata or {}), _OF_BASELINE: _digest(written or folder)}
    path = _locate_cross_fitted(folder)
    marked = table.replace_schema_metadata(kept)
    write_file_with(path, lambda partial: pq.write_table(marked, partial))


def _locate_cross_fitted(folder: Path) -> Path:
    # a folder may be named as the one that the command stands in
    place = folder.resolve()
    return place.with_name(f"{place.name}.cross_fitted.parquet")


def _read_cross_fitted(path: Path, baseline: AnyBaseline) -> pd.DataFrame:
    """Return the changes at the months that a baseline was fitted for, and `age_years` if told."""
    folder, months = baseline.folder, baseline.config.horizons_months
    try:
        stored = pq.read_table(path)
        table = pd.DataFrame(stored.to_pandas())
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if folder is None or (stored.schema.metadata or {}).get(_OF_BASELINE) != _digest(folder):
        raise ModelError(f"{path} is of another baseline than {folder}: train it again.")
    table.index = table.index.map(lambda name: standardize_person(str(name)))
    try:
        values = (
            table[[str(month) for month in months]].astype(float).set_axis(list(months), axis=1)
        )
        is_whole = table.index.is_unique and not np.isinf(values.to_numpy()).any()
    except (KeyError, TypeError, ValueError):
        is_whole = False
    if not is_whole:
        told = ", ".join(f"{month:g}" for month in months)
        raise ModelError(
            f"{path} is not as it was written, with one row a person and the change at months "
            f"{told}: train the baseline again."
        )
    return values.assign(**{name: table[name] for name in (_AGE,) if name in table})


_OF_BASELINE: Final = b"baseline"
_AGE: Final = "age_years"
_SAME_AGE_YEARS: Final = 0.5
"""One person's two ages may differ by so much, since tables round to whole years."""


def _digest(folder: Path) -> bytes:
    return compute_sha256(folder / CHECKSUMS).encode()


def write_scores(changes: pd.DataFrame, horizon_months: float, name: str, path: Path) -> None:
    """Write a score file for `trialsim rank --scores`: percent lost until a horizon.

    Parameters
    ----------
    changes
        From `predict_changes`.
    horizon_months
        One of its columns.
    name
        What the scores are called, as a strategy.
    path
        A CSV file.
    """
    scores = -changes[horizon_months].rename(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    scores.to_csv(path, index_label="participant_id")


def _quantize(scan: PreprocessedScan) -> npt.NDArray[np.uint8]:
    check = check_scan(scan)
    if check.verdict == "fail":
        raise ModelError(f"the scan was refused: {check.reason_text}.")
    return np.asarray(np.round(255 * scan.image[0]), dtype=np.uint8)


def _list_failures(problems: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(problems.items(), columns=["participant_id", "problem"], dtype=str)
