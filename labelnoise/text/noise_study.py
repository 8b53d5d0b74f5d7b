"""What wrong tags do to a tagger: bounds, how fast they are memorised, and what becomes of names seen wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.text.consistency import form_hashes, surface_forms
from labelnoise.text.dataset import TextDataset, entity_noise
from labelnoise.text.evaluation import entity_f1
from labelnoise.text.schemes import spans_of
from labelnoise.text.splits import sentence_splits
from labelnoise.text.stepping import Learner, one_pass, step_features
from labelnoise.text.tagger_run import TaggerRun
from labelnoise.text.token_noise import class_dependent
from labelnoise.text.trainers import TRAINERS
from labelnoise.text.viterbi import best_tags

__all__ = ["BOUNDS", "SEEN", "memorisation", "noise_bounds", "seen_groups", "seen_recall", "simulated_like"]

#: Trainers whose scores frame all others; "clean" is the plain one on the true tags.
BOUNDS = ("plain", "oracle-sentences", "oracle-drop", "clean")
#: What the training text said of a test entity's surface form.
SEEN = ("seen clean", "seen noisy", "unseen")


def noise_bounds(
    dataset: TextDataset,
    seed: int = 0,
    *,
    trainers: Sequence[str] = BOUNDS,
    split: str = "test",
    options: Mapping[str, Any] | None = None,
) -> tuple[dict[str, float], dict[str, NDArray[np.int64]]]:
    """Entity F1 on true tags of a tagger on the given tags, on the right ones among them, and on the true ones.

    Parameters
    ----------
    dataset : TextDataset
        With true tags in the training split and in ``split``.
    seed : int
        Of the trainers, and of the split where the data set has none.
    trainers : sequence of str
        "clean", or names from `labelnoise.text.trainers.TRAINERS`.
    split : str
        Where it is measured.
    options : mapping, optional
        Handed to every trainer: ``epochs``, ``encoder``.

    Returns
    -------
    (dict of str to float, dict of str to ndarray)
        Lenient micro F1, 0 to 1, and the predicted tags of all tokens, by trainer.

    Raises
    ------
    InputError
        No truth is known, an unknown split or trainer.

    References
    ----------
    Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP: clean training and the oracle subset.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> scores, _ = noise_bounds(news(n_sentences=300), options={"epochs": 2})
    >>> scores["plain"] < scores["oracle-drop"]
    True
    """
    test = _judged(dataset, split, seed)
    assert dataset.true is not None
    scores, tags = {}, {}
    for name in trainers:
        run = TRAINERS["plain" if name == "clean" else name].load()
        data = _cleaned(dataset) if name == "clean" else dataset
        result = run(data, seed, **dict(options or {}))
        tags[name] = np.asarray(result.predicted)
        scores[name] = entity_f1(np.where(test, dataset.true, NO_LABEL), tags[name], starts=dataset.starts)
    return scores, tags


def simulated_like(dataset: TextDataset, seed: int = 0) -> TextDataset:
    """The same text with class-dependent noise at the same share of wrong entities in the training split.

    Raises
    ------
    InputError
        No truth is known; no wrong entity in the training split.

    Notes
    -----
    NoiseBench's simulation does not reach the level of the real noise (41.3 % for 36.6 %); here it does.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> from labelnoise.text.dataset import entity_noise
    >>> real = news()
    >>> abs(entity_noise(_training(simulated_like(real), 0)) - entity_noise(_training(real, 0))) < 0.01
    True
    """
    real = _training(dataset, seed)
    rate = entity_noise(real)
    if rate == 0.0:
        raise InputError(f"No entity of the training split of {dataset.name} is wrong; nothing is to match.")
    assert dataset.true is not None
    clean = replace(real, given=np.asarray(real.true, dtype=np.int64), true=None)
    made = class_dependent(clean, rate, seed, pair=real)
    known = (real.given >= 0) & (np.asarray(real.true) >= 0)
    given = np.where(known, made.labels, dataset.given).astype(np.int64)
    return replace(dataset, given=given, name=f"{dataset.name}-simulated")


def memorisation(
    dataset: TextDataset,
    seed: int = 0,
    *,
    epochs: int = 20,
    split: str = "test",
    encoder: str | None = None,
    features: str | None = None,
) -> list[dict[str, float]]:
    """Entity F1 after each pass: on the training sentences against given and true tags, and on ``split``.

    Parameters
    ----------
    dataset : TextDataset
        With true tags in the training split and in ``split``.
    seed : int
    epochs : int
        Passes of a linear tagger over the training tokens, >= 1.
    split : str
    encoder, features
        See `labelnoise.text.train_methods.train_plain`.

    Returns
    -------
    list of dict
        ``epoch`` from 1, ``given_f1``, ``true_f1``, ``test_f1``, 0 to 1; ``memorised``, the share of the training
        tokens with a wrong tag whose given tag is predicted.

    Raises
    ------
    InputError
        As `noise_bounds`.

    References
    ----------
    Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP: memorisation of real and simulated noise.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> curve = memorisation(news(n_sentences=300), epochs=3)
    >>> [row["epoch"] for row in curve], curve[-1]["given_f1"] > curve[0]["given_f1"]
    ([1, 2, 3], True)
    """
    test = _judged(dataset, split, seed)
    assert dataset.true is not None
    run = TaggerRun(dataset, seed, encoder, features, epochs)
    rows, given, true = np.flatnonzero(run.has), np.asarray(run.seen.given), np.asarray(dataset.true)
    known = run.has & (true >= 0)
    wrong = known & (given != true)
    learner = Learner(step_features(run.tagger), run.targets.shape[1], seed)

    def slopes(batch: NDArray[np.int64], probs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [p - run.targets[batch] for p in probs]

    curve = []
    for epoch in track(range(1, epochs + 1), "passes over the tokens"):
        for _ in one_pass([learner], rows, generator(seed, "order of tokens", epoch), slopes):
            pass
        tags = best_tags(learner.predict(), dataset.starts)
        found = {
            name: entity_f1(np.where(where, labels, NO_LABEL), tags, starts=dataset.starts)
            for name, where, labels in (
                ("given_f1", known, given),
                ("true_f1", known, true),
                ("test_f1", test, true),
            )
        }
        share = float((tags == given)[wrong].mean()) if wrong.any() else 0.0
        curve.append({"epoch": epoch, **found, "memorised": share})
    return curve


def seen_groups(
    dataset: TextDataset, seed: int = 0, *, split: str = "test"
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """What the training text said of each true entity's surface form in ``split``.

    Parameters
    ----------
    dataset : TextDataset
        With true tags in the training split and in ``split``.
    seed : int
        Of the split where the data set has none.
    split : str

    Returns
    -------
    (ndarray of `labelnoise.text.schemes.SPAN`, ndarray of int64)
        The true entities, and for each an index into `SEEN`: "seen clean" if the form is an entity of the training
        text and has once been given a type that is also a true one of it; "seen noisy" if it is an entity, given or
        true, but never was; "unseen" if it is none.

    Raises
    ------
    InputError
        As `noise_bounds`.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> words = [["Rome"], ["Oslo"], ["Rome"], ["Oslo"], ["Bonn"]]
    >>> true = [["B-LOC"]] * 5
    >>> data = from_sentences(words, [["B-LOC"], ["O"], *true[2:]], name="d", true=true,
    ...                       masks={"train": np.arange(5) < 2, "test": np.arange(5) >= 2})
    >>> [SEEN[group] for group in seen_groups(data)[1]]
    ['seen clean', 'seen noisy', 'unseen']
    """
    test = _judged(dataset, split, seed)
    train = _training(dataset, seed)
    assert train.true is not None
    assert dataset.true is not None
    targets = spans_of(np.where(test, dataset.true, NO_LABEL), starts=dataset.starts)
    known = (train.given >= 0) & (train.true >= 0)
    pairs: list[NDArray[np.uint64]] = []
    forms: list[NDArray[np.uint64]] = []
    for tags in (train.given, train.true):
        spans = spans_of(np.where(known, tags, NO_LABEL), starts=train.starts)
        name = form_hashes(surface_forms(dataset, spans))
        forms.append(name)
        # One number for form and type, which takes the low bits.
        pairs.append(name * np.uint64(64) + spans["type"].astype(np.uint64))
    agreed = np.intersect1d(pairs[0], pairs[1])
    clean_forms = np.concatenate([form[np.isin(pair, agreed)] for form, pair in zip(forms, pairs)])
    name = form_hashes(surface_forms(dataset, targets))
    group = np.where(np.isin(name, clean_forms), 0, np.where(np.isin(name, np.concatenate(forms)), 1, 2))
    return targets, group.astype(np.int64)


def seen_recall(
    dataset: TextDataset, predicted: NDArray[np.int64], seed: int = 0, *, split: str = "test"
) -> dict[str, dict[str, float]]:
    """Recall of the true entities in ``split``, and their number, by what the training text said of their form.

    Returns
    -------
    dict
        By group of `SEEN`: ``entities``, and ``recall`` (0 to 1) where there are any.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> data = news()
    >>> {name: row["entities"] for name, row in seen_recall(data, data.true).items()}
    {'seen clean': 281, 'seen noisy': 7, 'unseen': 174}
    """
    spans, group = seen_groups(dataset, seed, split=split)
    guess = spans_of(np.asarray(predicted), starts=dataset.starts)
    hit = np.isin(spans, guess)
    rows: dict[str, dict[str, float]] = {}
    for index, name in enumerate(SEEN):
        here = group == index
        rows[name] = {"entities": int(here.sum())}
        if here.any():
            rows[name]["recall"] = float(hit[here].mean())
    return rows


def _judged(dataset: TextDataset, split: str, seed: int) -> NDArray[np.bool_]:
    """Tokens of the split with a true tag."""
    masks = sentence_splits(dataset, seed)
    if dataset.true is None:
        raise InputError(f"No true tags are known for {dataset.name}; use a data set that has them.")
    if split not in masks or not (masks[split] & (dataset.true >= 0)).any():
        raise InputError(
            f"{dataset.name} has no true tags in a split {split!r} (its splits: {', '.join(masks)}); name another."
        )
    return np.asarray(masks[split] & (dataset.true >= 0))


def _training(dataset: TextDataset, seed: int) -> TextDataset:
    """The same tokens with given and true tags in the training split alone."""
    if dataset.true is None:
        raise InputError(f"No true tags are known for {dataset.name}; use a data set that has them.")
    train = sentence_splits(dataset, seed)["train"]
    given, true = (np.where(train, tags, NO_LABEL) for tags in (dataset.given, dataset.true))
    return replace(dataset, given=given, true=true)


def _cleaned(dataset: TextDataset) -> TextDataset:
    """True tags wherever a tag was given."""
    assert dataset.true is not None
    given = np.where((dataset.given >= 0) & (dataset.true >= 0), dataset.true, dataset.given)
    return replace(dataset, given=given.astype(np.int64))
