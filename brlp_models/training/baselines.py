"""Fitting of the baselines that stand beside BrLP."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from brlp_models.baselines.baseline import Baseline, RegressionConfig, fit_table
from brlp_models.baselines.config import RegressionName
from brlp_models.baselines.features import FeatureConfig, Features, describe_scan
from brlp_models.baselines.network import NetworkConfig, NetworkReader
from brlp_models.baselines.people import BaselinePeople, list_predictors
from brlp_models.baselines.reader import LinearReader, fit_reader
from brlp_models.baselines.regression import Array, ColumnRegression
from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.scans.grid import Grid
from brlp_models.training.network_reader import FEWEST, train_network_reader
from cohorts.counting import tally

_CELL_MM: Final = 16.0
_FOLDS: Final = 5
_FEWEST_CROSS_FITTED: Final = 20


def fit_baseline(
    name: RegressionName,
    people: BaselinePeople,
    *,
    provenance: str,
    archive: BaselinePeople | None = None,
    model: BrlpModel | None = None,
    checkpoint: Path | None = None,
    report: Callable[[], None] = lambda: None,
) -> Baseline:
    """Fit a baseline.

    Those that read scans add to a regression on the whole table what a ridge regression, or a
    network, reads in the scan: the part of the change that the table leaves unexplained, and the
    signs where they are known. How far that is to be trusted is fitted on what each person's scan
    reads like to a reader that learned from none of the person's group; a network is trained once,
    so that it is fitted on those alone whom its training held back.

    Parameters
    ----------
    name
        `elastic_net` learns from regional volumes; `image_regression` and `latent_regression` from
        the table and the scan: its brightness, or its latent; `cnn_regression` from the table, and
        by a network from the whole scan.
    people
        Those with scans.
    provenance
        Who the people are.
    archive
        People that the table's regression is fitted on in place of these, since tables without
        scans are cheap; those with scans should not be among them.
    model
        On whose grid the scans lie, and whose autoencoder gives the latents.
    checkpoint
        Folder of the network's; without one, an interrupted training begins again.
    report
        Told of every scan, or of every epoch of a network.

    Raises
    ------
    ModelError
        Where scans are needed and not there, or too few people have a future.
    """
    tabled = archive or people
    is_linear = name == "elastic_net"
    names = list_predictors(tabled.table, volumes_only=is_linear)
    coding, table = fit_table(tabled.table, tabled.change, names, is_linear=is_linear)
    config = RegressionConfig(
        name=name,
        horizons_months=tuple(float(month) for month in people.change.columns),
        coding=coding.covariates.to_dict(),
        table=table.to_dict(),
        n_table_people=len(tabled.table),
        is_synthetic=people.is_synthetic or tabled.is_synthetic,
        provenance=provenance,
    )
    if is_linear:
        rest = tabled.change.to_numpy(float) - Baseline(config).predict_from_table(tabled.table)
        spread = _find_spread(rest, len(table.weights))
        return Baseline(config.model_copy(update={"spread": spread}))
    if people.images is None or model is None:
        raise ModelError(f"{name} learns from scans; give people who have some, and a model.")
    grid, features = Grid.of_config(model.config), _choose_features(name, model)
    expected = Baseline(config).predict_from_table(people.table)
    rest = people.change.to_numpy(float) - expected
    targets = _standardize(np.hstack([rest, _take_signs(people)]))
    rows = np.flatnonzero(np.isfinite(targets).all(axis=1))
    if len(rows) == 0:
        raise ModelError(f"Nobody with a scan has a known future for {name} to learn from.")
    groups = None if people.groups is None else list(people.groups.iloc[rows])
    images = [people.images[int(row)] for row in rows]

    def describe(place: int) -> Features:
        return describe_scan(images[place], features, model)

    network, judged = None, np.arange(len(rows))
    reader: LinearReader | NetworkReader
    if name == "cnn_regression":
        network = NetworkConfig(shape=grid.shape, n_outputs=targets.shape[1])
        reader, judged, read = train_network_reader(
            describe,
            targets[rows],
            groups,
            network,
            n_judged=rest.shape[1],
            folder=checkpoint,
            report=report,
        )
    else:
        seen = []
        for place in range(len(rows)):
            seen.append(describe(place))
            report()
        reader, read = fit_reader(np.stack(seen), targets[rows], groups)
    known = np.hstack([expected[rows][judged], read])
    left = rest[rows][judged]
    readout = ColumnRegression.fit(known, left)
    update = {
        "features": features,
        "readout": readout.to_dict(),
        "network": network,
        "shape": grid.shape,
        "affine": tuple(tuple(row) for row in grid.affine.tolist()),
        "spread": _find_spread(left - readout.predict(known), len(readout.weights)),
        "n_people": len(rows),
    }
    return Baseline(config.model_copy(update=update), reader)


def cross_fit_baseline(
    name: RegressionName,
    people: BaselinePeople,
    *,
    archive: BaselinePeople | None = None,
    model: BrlpModel | None = None,
) -> pd.DataFrame | None:
    """Return what is expected of each of the people by baselines that learned from the others.

    Parameters
    ----------
    name, people, archive, model
        As in `fit_baseline`. The fold that somebody is in does not depend on their order.

    Returns
    -------
    DataFrame or None
        Percent change, index `participant_id`, a column for each horizon; NaN for people whose
        table lacks something. None where fewer than 20 have a known future, or four fifths of them
        are too few for a network.
    """
    n_known = int(people.change.notna().all(axis=1).sum())
    fewest = _FEWEST_CROSS_FITTED
    if name == "cnn_regression":
        fewest = math.ceil(FEWEST * _FOLDS / (_FOLDS - 1)) + _FOLDS
    if n_known < fewest:
        return None
    in_order = people.take(np.argsort(people.table.index.to_numpy(str), kind="stable"))
    shuffled = np.random.default_rng(0).permutation(len(in_order.table))
    found = []
    for fold in range(_FOLDS):
        held = np.sort(shuffled[fold::_FOLDS])
        rest, own = in_order.take(np.setdiff1d(shuffled, held)), in_order.take(held)
        fitted = fit_baseline(name, rest, provenance="", archive=archive, model=model)
        found.append(fitted.predict_change(own.table, own.images, model=model))
    return pd.concat(found).loc[people.table.index]


def render_card(baseline: Baseline, *, results: str = "") -> str:
    """Return the text of a baseline's MODEL_CARD.md."""
    config = baseline.config
    months = ", ".join(f"{month:g}" for month in config.horizons_months)
    lines = [
        "**Fitted on SYNTHETIC people: evidence about software, none about patients.**"
        if config.is_synthetic
        else config.provenance,
        "",
        f"# {config.name}",
        "",
        f"- Predicts the percent change of the hippocampus {months} months after baseline.",
        f"- {config.provenance}",
        f"- Regression on the table: {tally(config.n_table_people, 'people')}.",
    ]
    if baseline.reads_scans:
        lines.append(
            f"- Reads baseline scans; learned from those of {tally(config.n_people, 'people')}."
        )
    return "\n".join([*lines, "", results]).rstrip() + "\n"


def _choose_features(name: RegressionName, model: BrlpModel) -> FeatureConfig:
    if name == "latent_regression":
        return FeatureConfig(kind="latents", model_id=model.model_id)
    if name == "cnn_regression":
        return FeatureConfig(kind="brightness")
    edge = round(_CELL_MM / float(Grid.of_config(model.config).spacing_mm[0]))
    return FeatureConfig(cell_voxels=max(1, edge))


def _take_signs(people: BaselinePeople) -> Array:
    signs = people.signs if people.signs is not None else pd.DataFrame(index=people.table.index)
    return np.asarray(signs.to_numpy(float))


def _find_spread(errors: Array, n_weights: int) -> tuple[float, ...]:
    """Return the sd of each column, as a regression of so many weights leaves it in others."""
    known = errors[np.isfinite(errors).all(axis=1)]
    freedom = max(1, len(known) - n_weights)
    return tuple(np.sqrt((known**2).sum(axis=0) / freedom).tolist())


def _standardize(values: Array) -> Array:
    sd = np.nanstd(values, axis=0)
    return np.asarray((values - np.nanmean(values, axis=0)) / np.where(sd > 0, sd, 1.0))
