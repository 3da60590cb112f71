"""Disease course mapping as one object: load, fit, personalize, estimate, save."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from brlp_models.auxiliary.course_curve import CurveParameters, compute_curves
from brlp_models.auxiliary.course_personalization import (
    compute_negative_log_posterior,
    compute_posterior_covariances,
    compute_residuals,
    find_posterior_modes,
)
from brlp_models.auxiliary.leaspy_files import (
    parse_leaspy_model,
    read_leaspy_file,
    render_leaspy_model,
)
from brlp_models.auxiliary.visits import pad_visits
from brlp_models.errors import ModelError
from cohorts.files.atomic import write_file


@dataclass(frozen=True)
class LogisticProgression:
    """Multivariate logistic progression with a person's own timing, speed and space shift.

    Parameters
    ----------
    features
        Names of the features, each scaled to 0-1 and rising with the disease.
    parameters
        What all people share.
    log_likelihood
        Laplace-approximated marginal log-likelihood of the visits it was fitted on, if fitted
        here.

    References
    ----------
    Schiratti et al., JMLR 18 (2017); Koval et al., Scientific Reports 11 (2021).

    Examples
    --------
    >>> model = LogisticProgression.load("model.json")           # doctest: +SKIP
    >>> individuals = model.personalize(visits)                  # doctest: +SKIP
    >>> model.estimate(individuals, {"sub-01": [75.0, 77.0]})    # doctest: +SKIP
    """

    features: tuple[str, ...]
    parameters: CurveParameters
    log_likelihood: float | None = None

    @classmethod
    def load(cls, path: Path | str) -> "LogisticProgression":
        """Read a Leaspy JSON file, version 1.x or 2.x, or one written by `save`.

        Raises
        ------
        ModelError
            Where the file is no multivariate logistic model with Gaussian noise.
        """
        return cls(*read_leaspy_file(Path(path)))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "LogisticProgression":
        """Build the model from the content of such a file."""
        return cls(*parse_leaspy_model(content))

    def to_dict(self) -> dict[str, Any]:
        """Return the content of a Leaspy 2.x file."""
        return render_leaspy_model(self.features, self.parameters)

    def save(self, path: Path | str) -> None:
        """Write the model as a Leaspy 2.x JSON file."""
        write_file(Path(path), (json.dumps(self.to_dict(), indent=1) + "\n").encode())

    @classmethod
    def fit(
        cls,
        visits: pd.DataFrame,
        *,
        features: Sequence[str],
        n_sources: int | None = None,
        max_iterations: int = 300,
    ) -> "LogisticProgression":
        """Fit by maximum Laplace-approximated marginal likelihood; see `fitting.py`.

        Parameters
        ----------
        visits
            One row a visit: ID, TIME (age in years) and the features.
        features
            The columns to model, scaled to 0-1 and rising with the disease.
        n_sources
            Components of the space shift; one less than the features when None.
        max_iterations
            Of the quasi-Newton search.

        Raises
        ------
        ModelError
            Where the table has problems, or holds too few people with two visits.
        """
        from brlp_models.auxiliary.course_fitting import fit_parameters

        _, observed = pad_visits(visits, features)
        parameters, log_likelihood = fit_parameters(
            observed,
            n_sources=len(features) - 1 if n_sources is None else n_sources,
            max_iterations=max_iterations,
        )
        return cls(tuple(features), parameters, log_likelihood)

    def personalize(self, visits: pd.DataFrame) -> pd.DataFrame:
        """Return the most probable individual parameters of every person.

        Minimizes, per person, half the squared residuals in units of the noise plus half the
        squared prior scores, over observed values.

        Parameters
        ----------
        visits
            One row a visit: ID, TIME (age in years) and the features; missing where not measured.

        Returns
        -------
        pandas.DataFrame
            Index ID; columns tau (years), xi, sources_0, ...

        Raises
        ------
        ModelError
            Where the table has problems; all are listed.
        """
        people, observed = pad_visits(visits, self.features)
        return self._unscale(people, find_posterior_modes(self.parameters, observed))

    def compute_negative_log_posterior(
        self, individuals: pd.DataFrame, visits: pd.DataFrame
    ) -> pd.Series:
        """Return what `personalize` minimizes, a number a person, for any individual parameters."""
        people, observed = pad_visits(visits, self.features)
        standardized = self._standardize(individuals, people)
        residuals, _ = compute_residuals(self.parameters, standardized, observed)
        loss = compute_negative_log_posterior(residuals, standardized)
        return pd.Series(loss.numpy(), index=people, name="negative_log_posterior")

    def estimate(
        self, individuals: pd.DataFrame, times: Mapping[Any, ArrayLike]
    ) -> dict[Any, NDArray[np.float64]]:
        """Return each person's features at the asked ages.

        Parameters
        ----------
        individuals
            The table that `personalize` returns.
        times
            Ages in years, by ID.

        Returns
        -------
        dict
            By ID, an array (n_times, n_features) between 0 and 1, in the order of `features`.

        Raises
        ------
        ModelError
            Where an ID of `times` has no row in `individuals`.
        """
        return {
            person: values
            for person, (values, _) in self._evaluate(individuals, times, None).items()
        }

    def estimate_with_sd(
        self, visits: pd.DataFrame, times: Mapping[Any, ArrayLike]
    ) -> dict[Any, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Personalize, then return each person's features and their predictive sd.

        The sd is that of a measured value: the delta method on the Laplace posterior of the
        individual parameters, plus the noise of the feature. Both arrays are (n_times, n_features).

        Raises
        ------
        ModelError
            Where the table has problems, or an ID of `times` has no visit.
        """
        people, observed = pad_visits(visits, self.features)
        modes = find_posterior_modes(self.parameters, observed)
        covariances = compute_posterior_covariances(self.parameters, modes, observed)
        return self._evaluate(self._unscale(people, modes), times, covariances)

    def _evaluate(
        self,
        individuals: pd.DataFrame,
        times: Mapping[Any, ArrayLike],
        covariances: Tensor | None,
    ) -> dict[Any, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        ages = {person: np.atleast_1d(np.asarray(at, float)) for person, at in times.items()}
        standardized = self._standardize(individuals, pd.Index(list(ages)))
        width = max((len(at) for at in ages.values()), default=0)
        padded = np.stack([np.pad(at, (0, width - len(at))) for at in ages.values()])
        values, jacobian = compute_curves(self.parameters, standardized, torch.from_numpy(padded))
        variances = (self.parameters.noise_std**2).expand_as(values)
        if covariances is not None:
            rows = individuals.index.get_indexer(pd.Index(list(ages)))
            posterior = covariances[torch.from_numpy(rows)]
            variances = variances + torch.einsum(
                "ntfk,nkl,ntfl->ntf", jacobian, posterior, jacobian
            )
        sds = variances.sqrt()
        return {
            person: (values[row, : len(at)].numpy(), sds[row, : len(at)].numpy())
            for row, (person, at) in enumerate(ages.items())
        }

    def _effects(self) -> list[str]:
        return ["tau", "xi", *(f"sources_{n}" for n in range(self.parameters.n_sources))]

    def _unscale(self, people: pd.Index, standardized: Tensor) -> pd.DataFrame:
        numbers = standardized.clone()
        numbers[:, 0] = self.parameters.tau_mean + self.parameters.tau_std * numbers[:, 0]
        numbers[:, 1] = self.parameters.xi_std * numbers[:, 1]
        return pd.DataFrame(numbers.numpy(), index=people, columns=self._effects())

    def _standardize(self, individuals: pd.DataFrame, people: pd.Index) -> Tensor:
        missing = [name for name in self._effects() if name not in individuals.columns]
        absent = people.difference(individuals.index, sort=False)
        problems = [f"The individual parameters have no column {name!r}." for name in missing]
        problems += [f"{person} has no individual parameters." for person in absent]
        if problems:
            raise ModelError(*problems)
        numbers = torch.from_numpy(
            individuals.loc[people, self._effects()].to_numpy(dtype=float, copy=True)
        )
        numbers[:, 0] = (numbers[:, 0] - self.parameters.tau_mean) / self.parameters.tau_std
        numbers[:, 1] = numbers[:, 1] / self.parameters.xi_std
        return numbers
