"""Linear regression of several outcomes on standardized columns, and on products of two of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from brlp_models.errors import ModelError

Array = npt.NDArray[np.float64]
Machine = Literal["ridge", "elastic_net"]

FEWEST: Final = 10
"""People that a regression is fitted on at least."""

_LIMIT: Final = 4.0
_PEOPLE_A_TERM: Final = 10
_FOLDS: Final = 5
_ALPHAS: Final = np.logspace(-1, 5, 13)


@dataclass(frozen=True)
class ColumnRegression:
    """A fitted regression.

    Parameters
    ----------
    mean, sd
        Of each column among the people fitted on, (columns,).
    weights
        (terms, outcomes); the first term is 1, then come the standardized columns, cut at 4 sd.
    products
        Whether the products of two columns, squares among them, are terms too.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(200, 2))
    >>> fitted = ColumnRegression.fit(x, x[:, :1] * x[:, 1:])
    >>> fitted.predict(np.array([[1.0, 1.0], [1.0, -1.0]])).round(1).tolist()
    [[1.0], [-1.0]]
    """

    mean: Array
    sd: Array
    weights: Array
    products: bool = False

    @classmethod
    def fit(cls, x: Array, y: Array, *, machine: Machine = "ridge") -> "ColumnRegression":
        """Fit each outcome, with the penalty that cross-validation prefers.

        Ridge regression has products of columns where there are ten people for each term.

        Parameters
        ----------
        x
            (people, columns).
        y
            (people, outcomes).
        machine
            `ridge`, or `elastic_net` with five folds over people.

        Raises
        ------
        ModelError
            For fewer than ten people.
        """
        from sklearn.linear_model import ElasticNetCV, RidgeCV

        if len(x) < FEWEST:
            raise ModelError(f"A regression needs at least {FEWEST} people, got {len(x)}.")
        sd, n_terms = x.std(axis=0), (x.shape[1] + 1) * (x.shape[1] + 2) // 2
        products = machine == "ridge" and len(x) >= _PEOPLE_A_TERM * n_terms
        unfitted = cls(x.mean(axis=0), np.where(sd > 0, sd, 1.0), np.empty((0, 0)), products)
        terms, weights = unfitted.expand(x)[:, 1:], []
        for outcome in y.T:
            own = (
                RidgeCV(alphas=_ALPHAS)
                if machine == "ridge"
                else ElasticNetCV(l1_ratio=[0.1, 0.5, 0.9], cv=_FOLDS, alphas=30, max_iter=5000)
            )
            own.fit(terms, outcome)
            weights.append(np.concatenate([[own.intercept_], own.coef_]))
        return cls(unfitted.mean, unfitted.sd, np.stack(weights, axis=1), products)

    def expand(self, x: Array) -> Array:
        """Return the terms, (people, terms)."""
        z = np.clip((x - self.mean) / self.sd, -_LIMIT, _LIMIT)
        z = np.concatenate([np.ones((len(z), 1)), z], axis=1)
        if not self.products:
            return z
        rows, columns = np.triu_indices(z.shape[1])
        # the constant's own square is the constant, and comes first
        return np.asarray(z[:, rows] * z[:, columns])

    def predict(self, x: Array) -> Array:
        """Return the expected outcomes, (people, outcomes)."""
        return np.asarray(self.expand(x) @ self.weights)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON content."""
        return {
            "mean": self.mean.tolist(),
            "sd": self.sd.tolist(),
            "weights": self.weights.tolist(),
            "products": self.products,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ColumnRegression":
        """Build the regression from JSON content."""
        mean, sd, weights = (
            np.asarray(content[name], dtype=float) for name in ("mean", "sd", "weights")
        )
        return cls(mean, sd, weights, bool(content["products"]))
