"""Wrong tags by how training went: sure or unsure of a tag, steady or not, by kinds of agreement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, choose
from labelnoise.text.dataset import TextDataset
from labelnoise.text.stepping import Learner, one_pass, step_features
from labelnoise.text.tagger_run import TaggerRun

__all__ = ["TagDynamics", "train_dynamics"]

#: After which pass each rule looks: variability of agreed "O", confidence in denied "O", in denied entities.
PASSES = (9, 2, 4)


class TagDynamics:
    """Running statistics of P(given tag) over the passes of a training; O(n) numbers.

    Parameters
    ----------
    given : ndarray of int, shape (n,)
        Tag ids; tokens without a tag (-1) have category 0 and statistics 0.

    Examples
    --------
    >>> seen = TagDynamics(np.array([0, 1]))
    >>> seen.update(np.array([[0.9, 0.1], [0.8, 0.2]]))
    >>> seen.update(np.array([[0.7, 0.3], [0.6, 0.4]]))
    >>> seen.confidence.round(2).tolist(), seen.variability.round(2).tolist(), seen.category.tolist()
    ([0.8, 0.3], [0.1, 0.1], [1, 4])
    """

    def __init__(self, given: NDArray[np.int64]) -> None:
        self._given = np.asarray(given)
        self._has = self._given >= 0
        self._sum, self._squares = np.zeros(len(self._given)), np.zeros(len(self._given))
        self.passes = 0
        self.predicted = np.full(len(self._given), -1, dtype=np.int64)

    def update(self, probs: NDArray[Any]) -> None:
        """Take in the probabilities after a pass, shape (n, K)."""
        own = np.where(
            self._has, np.asarray(probs)[np.arange(len(self._given)), np.maximum(self._given, 0)], 0.0
        )
        self._sum += own
        self._squares += own**2
        self.passes += 1
        self.predicted = np.asarray(probs).argmax(axis=1)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Mean of P(given tag) over the passes so far, 0 to 1."""
        return self._sum / max(self.passes, 1)

    @property
    def variability(self) -> NDArray[np.float64]:
        """Standard deviation of P(given tag) over the passes so far, 0 to .5."""
        return np.sqrt(np.maximum(self._squares / max(self.passes, 1) - self.confidence**2, 0.0))

    @property
    def category(self) -> NDArray[np.int64]:
        """1 and 2: "O" that the last prediction agrees with or denies; 3 and 4: the same for entities' tags."""
        kind = 1 + (self.predicted != self._given) + 2 * (self._given > 0)
        return np.where(self._has & (self.passes > 0), kind, 0)


def train_dynamics(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
    watched: int = 9,
    unsteady: float = 0.15,
    denied_o: float = 0.4,
    denied_entity: float = 0.3,
    action: str = "relabel",
) -> Trained:
    """Watches a training, then trains anew without, or with other tags for, what it was unsure of.

    Parameters
    ----------
    dataset, seed, encoder, features, epochs
        See `labelnoise.text.train_methods.train_plain`; of the final training.
    watched : int
        Passes that are watched, >= 1; a rule for a later pass looks after the last one.
    unsteady : float
        "O" that is agreed with after pass 9 is left out where P(O) varied by more than this.
    denied_o, denied_entity : float
        Tags that another one has overruled after pass 2 ("O") or 4 (entities) are doubtful where the mean
        probability of the given tag lies below this, 0 to 1.
    action : str
        "relabel": doubtful tags become the predicted ones; "mask": they are left out.

    Returns
    -------
    Trained
        ``info`` says how many tags each rule took.

    Raises
    ------
    InputError
        No tag in the training split, unreadable features, numbers out of range.

    Notes
    -----
    Merdjanovska & Akbik 2025, Token-level metrics for detecting incorrect gold annotations in named entity
    recognition, Findings of EMNLP: four kinds of token, thresholds fitted to a large fine-tuned transformer. A pass of
    this linear tagger is another unit of time.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> sorted(train_dynamics(news(n_sentences=60), epochs=1, watched=2).info["rules"])
    ['denied O', 'denied entity', 'unsteady O']
    """
    choose(action, ("relabel", "mask"), "action")
    if watched < 1:
        raise InputError(f"watched is {watched}; at least 1 pass is needed.")
    if not all(0.0 <= value <= 1.0 for value in (unsteady, denied_o, denied_entity)):
        raise InputError(
            f"unsteady, denied_o and denied_entity are {unsteady}, {denied_o} and {denied_entity}; give numbers from "
            "0 to 1."
        )
    run = TaggerRun(dataset, seed, encoder, features, epochs)
    given, rows = np.asarray(run.seen.given), np.flatnonzero(run.has)
    learner = Learner(step_features(run.tagger), run.targets.shape[1], seed)
    seen = TagDynamics(given)
    targets = run.targets.copy()
    found = {"unsteady O": 0, "denied O": 0, "denied entity": 0}

    def slopes(batch: NDArray[np.int64], probs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [p - run.targets[batch] for p in probs]

    for number in track(range(1, watched + 1), "passes that are watched"):
        for _ in one_pass([learner], rows, generator(seed, "order of tokens", "watched", number), slopes):
            pass
        seen.update(learner.predict())
        rules = (
            ("unsteady O", PASSES[0], 1, seen.variability > unsteady),
            ("denied O", PASSES[1], 2, seen.confidence < denied_o),
            ("denied entity", PASSES[2], 4, seen.confidence < denied_entity),
        )
        for name, after, kind, doubtful in rules:
            if number == min(after, watched):
                taken = np.flatnonzero((seen.category == kind) & doubtful)
                found[name] = len(taken)
                targets[taken] = 0.0
                if kind != 1 and action == "relabel":
                    targets[taken, seen.predicted[taken]] = 1.0
    probs = run.tagger.fit(targets, seed)
    return run.result("dynamics", probs, rules=found, action=action)
