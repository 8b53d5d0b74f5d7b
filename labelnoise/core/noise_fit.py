"""Noise learned from real labels and replayed on others, with errors that repeat within a group."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.corruption import Corruption, compare_labels
from labelnoise.core.files import replacing
from labelnoise.core.noise_matrices import confusion_transition
from labelnoise.core.noise_single import corrupt
from labelnoise.core.random import generator, seed_sequence
from labelnoise.core.reading import read_json
from labelnoise.core.validation import InputError, as_labels, as_transition, check_same_length

__all__ = ["NoiseModel"]

Floats = NDArray[np.float64]

_FORMAT = "labelnoise noise model"
_VERSION = 1
_PER_CLASS = ("class_counts", "class_consistency", "error_consistency", "label_consistency", "size_slope")


@dataclass(frozen=True, kw_only=True, eq=False)
class NoiseModel:
    """A noise model learned from pairs of a clean and a really noisy label.

    Real labels err consistently: the same surface form, annotator or source makes the same mistake again and
    again, which a transition matrix alone cannot show (on the LOC tokens of NoisyNER set 7, 98 % of the forms
    seen three times or more are always right or always wrong; a transition matrix makes it 14 %). The model
    therefore has, beside the matrix, the agreement of units that share a group and a true class.

    Attributes
    ----------
    transition : ndarray of shape (K, K)
        ``T[i, j] = P(given = j | true = i)``.
    transition_error : ndarray of shape (K, K)
        Standard error of each entry, by groups (as if units were independent, it would be far too small).
    class_counts : ndarray of shape (K,)
        Units of each true class that the model was learned from.
    rate : float
        P(given != true) in the data.
    consistency : float
        How much more often than by chance two units of the same group and true class have the same given
        label, ``(agreement - chance) / (1 - chance)``, over all classes: 0 independent, 1 always the same.
        Chance is the agreement of units of the same class in different groups.
    class_consistency : ndarray of shape (K,)
        The same per class; that of all classes where a class has no repeated group.
    error_consistency : ndarray of shape (K,)
        Correlation of being wrong, within group and class, at equal size of the group.
    label_consistency : ndarray of shape (K,)
        Correlation of the wrong labels of two errors of one group and class.
    size_slope : ndarray of shape (K,)
        Change of the log-odds of an error when the group's share of the class grows by a factor e; 0 where
        it does not stand out (common words are labelled better than rare ones).
    coupling : float
        Correlation, from 0 to 1, of a group's proneness to err in one class and in another (a careless
        annotator is careless everywhere).
    n_groups : int
        Groups that the model was learned from.
    """

    transition: Floats
    transition_error: Floats
    class_counts: Floats
    rate: float
    consistency: float
    class_consistency: Floats
    error_consistency: Floats
    label_consistency: Floats
    size_slope: Floats
    coupling: float
    n_groups: int

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.transition)

    @classmethod
    def fit(
        cls,
        clean: ArrayLike,
        noisy: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        n_classes: int | None = None,
        smoothing: float = 1.0,
    ) -> Self:
        """Learn the noise that turned ``clean`` into ``noisy``.

        Parameters
        ----------
        clean, noisy : array_like of int, shape (n,)
            Class ids; units where either is -1 are left out.
        groups : array_like of int or str, shape (n,), optional
            What repeats its errors (surface form, annotator, source ...); -1 for none. Without groups the
            noise is learned as class-conditional.
        n_classes : int, optional
            K; default: the largest id plus one.
        smoothing : float
            Units added to each true class that behave as the average class does (wrong at the overall rate,
            wrong labels shared as overall), >= 0. A class never seen has that behaviour alone.

        Returns
        -------
        NoiseModel

        Raises
        ------
        InputError
            Different lengths, fewer than two classes, no unit with both labels.

        Notes
        -----
        Agreement is estimated by pairs: disagreement within groups over disagreement between groups of the
        same class, both without bias, the form of Krippendorff's alpha. Per-class correlations are drawn
        towards that of all classes with the weight of 10 expected disagreements. How an error depends on the
        size of its group is kept only with 50 groups or more and 4 standard errors from nothing, the coupling
        from 1 on (a few annotators show no more).

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> word = rng.integers(0, 400, 4000)
        >>> clean = word % 2
        >>> noisy = np.where(rng.random(400) < 0.2, 1 - np.arange(400) % 2, np.arange(400) % 2)[word]
        >>> model = NoiseModel.fit(clean, noisy, groups=word)
        >>> round(model.rate, 3), model.consistency
        (0.22, 1.0)
        """
        from labelnoise.core import _noise_estimates as estimates
        from labelnoise.core._noise_groups import make_cells

        true, given = as_labels(clean, name="clean labels"), as_labels(noisy, name="noisy labels")
        check_same_length(clean=true, noisy=given, groups=groups)
        k = max(int(true.max(initial=-1)), int(given.max(initial=-1))) + 1 if n_classes is None else n_classes
        true, given = (
            as_labels(true, n_classes=k, name="clean labels"),
            as_labels(given, n_classes=k, name="noisy labels"),
        )
        if k < 2:
            raise InputError(
                f"The labels hold {k} class(es); noise needs at least 2, pass n_classes if K is larger."
            )
        if not np.isfinite(smoothing) or smoothing < 0:
            raise InputError(f"smoothing is {smoothing}; a number of units, 0 or more, is needed.")
        true = np.where(given >= 0, true, -1)
        seen = true >= 0
        if not seen.any():
            raise InputError("No unit has both a clean and a noisy label; there is nothing to learn from.")
        counts = np.bincount(true[seen] * k + given[seen], minlength=k * k).reshape(k, k).astype(np.float64)
        transition = estimates.smooth_counts(counts, smoothing)
        cells = make_cells(true, groups)
        values = estimates.count_values(cells.of_unit[seen], given[seen], k)
        consistency, per_class = estimates.observed_consistency(cells, values, k)
        wrong = np.bincount(
            cells.of_unit[seen], weights=(given != true)[seen].astype(np.float64), minlength=len(cells.size)
        ).astype(np.float64)
        rho, slope, error = estimates.error_consistency(cells, wrong, counts)
        linear = estimates.coupling_of_groups(cells, wrong, error, rho)
        rate = float(1.0 - np.trace(counts) / counts.sum())
        return cls(
            transition=transition,
            transition_error=estimates.clustered_error(cells, values, transition),
            class_counts=counts.sum(axis=1),
            rate=rate,
            consistency=consistency,
            class_consistency=per_class,
            error_consistency=rho,
            label_consistency=estimates.label_consistency(cells, values, k),
            size_slope=slope,
            coupling=estimates.latent_coupling(
                linear, rate, float(np.average(rho, weights=counts.sum(axis=1)))
            ),
            n_groups=int(cells.group.max()) + 1,
        )

    def replay(
        self, clean: ArrayLike, seed: int, *, groups: ArrayLike | None = None, rate: float | None = None
    ) -> Corruption:
        """Make the same kind of noise on other clean labels.

        Parameters
        ----------
        clean : array_like of int, shape (n,)
            True class ids, -1 for "no label".
        seed : int
        groups : array_like of int or str, shape (n,), optional
            What repeats its errors; -1 for none. What a group does depends on the seed and its id, not on
            the order of the units. Without groups every unit errs on its own. Groups need not be those of
            the fit; a group known from there gets no memory of its own mistakes.
        rate : float, optional
            Another P(given != true) for these labels; errors of all classes are scaled by one factor.

        Returns
        -------
        Corruption
            ``transition`` is the T of the model (tempered, if a rate was passed). The realised rate scatters
            around it the more, the larger and the more consistent the groups are.

        Examples
        --------
        >>> word = np.repeat(np.arange(500), 8)
        >>> model = NoiseModel.fit(word % 2, np.where(word % 5 == 0, 0, word % 2), groups=word)
        >>> again = model.replay(word % 2, seed=3, groups=word)
        >>> round(model.rate, 3), again.rate, NoiseModel.fit(word % 2, again.labels, groups=word).consistency
        (0.1, 0.104, 1.0)
        """
        from labelnoise.core import _noise_groups as grouped

        true = as_labels(clean, n_classes=self.n_classes, name="clean labels")
        model = self
        if rate is not None and (true >= 0).any():
            model = self.at_rate(rate, prior=np.bincount(true[true >= 0], minlength=self.n_classes))
        if groups is None:
            return corrupt(true, model.transition, seed)
        cells = grouped.make_cells(true, groups)
        error = np.zeros(len(cells.size))
        share = cells.share
        for c in np.unique(cells.label):
            mine = cells.label == c
            wrong_rate = float(1.0 - model.transition[c, c])
            slope = float(model.size_slope[c])
            error[mine] = grouped.error_by_size(wrong_rate, slope, cells.size[mine], share[mine])
        key = int(seed_sequence(seed, "noise", "replay", "groups").generate_state(1, np.uint64)[0])
        error = grouped.draw_errors(cells, error, model.error_consistency, model.coupling, key)
        uniform = generator(seed, "noise", "replay", "units").random(len(true))
        # Cell -1 (appended last) is for units without a label.
        units = np.flatnonzero(uniform < np.append(error, 0.0)[cells.of_unit])
        off = model.transition * (1.0 - np.eye(self.n_classes))
        mass = off.sum(axis=1, keepdims=True)
        goal = generator(seed, "noise", "replay", "goals").random(len(true))[units]
        share_of_wrong = np.divide(off, mass, out=np.zeros_like(off), where=mass > 0)
        given = true.copy()
        given[units] = grouped.draw_goals(cells, units, share_of_wrong, model.label_consistency, goal, key)
        return compare_labels(true, given, transition=model.transition)

    def at_rate(self, rate: float, *, prior: ArrayLike | None = None) -> Self:
        """The same noise at another overall rate, see `labelnoise.core.noise.confusion_transition`.

        Parameters
        ----------
        rate : float
            P(given != true) over labels with the class frequencies ``prior``.
        prior : array_like of shape (K,), optional
            Default: the class counts of the fit.

        Examples
        --------
        >>> model = NoiseModel.fit([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1], smoothing=0)
        >>> model.at_rate(0.25).transition
        array([[0.5, 0.5],
               [0. , 1. ]])
        """
        weights = self.class_counts if prior is None else prior
        transition = confusion_transition(self.transition, rate, prior=weights)
        return replace(self, transition=transition, rate=float(rate))

    def to_dict(self) -> dict[str, Any]:
        """All that the model is, as JSON-able values; `from_dict` reads it back exactly."""
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "transition": self.transition.tolist(),
            "transition_error": self.transition_error.tolist(),
            **{name: getattr(self, name).tolist() for name in _PER_CLASS},
            "rate": self.rate,
            "consistency": self.consistency,
            "coupling": self.coupling,
            "n_groups": self.n_groups,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises
        ------
        InputError
            Another format or version, missing or impossible values.
        """
        if not isinstance(values, Mapping) or values.get("format") != _FORMAT:
            raise InputError("This is no saved noise model; pass what NoiseModel.to_dict returned.")
        if values.get("version") != _VERSION:
            raise InputError(
                f"The noise model has version {values.get('version')}; this release reads {_VERSION}. "
                "Fit and save it again."
            )
        try:
            transition = as_transition(values["transition"])
            k = len(transition)
            error = np.array(values["transition_error"], dtype=np.float64)
            columns = {name: np.array(values[name], dtype=np.float64) for name in _PER_CLASS}
            scalars = {name: float(values[name]) for name in ("rate", "consistency", "coupling")}
            n_groups = int(values["n_groups"])
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise InputError(
                f"The saved noise model is damaged ({problem}); fit and save it again."
            ) from problem
        shares = [*scalars.values(), *(v for name in _PER_CLASS[1:4] for v in columns[name].ravel())]
        finite = all(np.isfinite(column).all() for column in (error, *columns.values()))
        shapes = error.shape == (k, k) and all(column.shape == (k,) for column in columns.values())
        if k < 2 or not finite or not shapes or not all(0.0 <= v <= 1.0 for v in shares):
            raise InputError("The saved noise model holds impossible values; fit and save it again.")
        fields: dict[str, Any] = {**columns, **scalars}
        return cls(transition=transition, transition_error=error, n_groups=n_groups, **fields)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model as one JSON file, all or nothing; returns its path."""
        target = Path(path)
        with replacing(target) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False), encoding="utf-8")
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model that `save` wrote.

        Raises
        ------
        InputError
            No such file, no JSON, or no noise model.
        """
        return cls.from_dict(read_json(Path(path)))
