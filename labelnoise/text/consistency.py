"""Whether wrong entities repeat per surface form, as real ones do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset, judged_spans

__all__ = ["FormConsistency", "form_consistency", "form_hashes", "surface_forms"]


@dataclass(frozen=True)
class FormConsistency:
    """How far the mentions of a surface form share their fate.

    Attributes
    ----------
    share : float
        Share of the repeated forms whose mentions are all right or all wrong, 0 to 1.
    expected : float
        The same if each mention erred on its own, at the overall rate.
    mention_share, mention_expected : float
        Both, with each form weighted by its mentions.
    forms : int
        Number of repeated forms.
    """

    share: float
    expected: float
    mention_share: float
    mention_expected: float
    forms: int


def form_consistency(dataset: TextDataset, *, mentions: int = 3) -> FormConsistency:
    """Share of the true surface forms that are always tagged right or always wrong.

    Parameters
    ----------
    dataset : TextDataset
        With given and true tags. A true entity is right where the same extent and type was given.
    mentions : int
        Forms with fewer true mentions are left out, >= 2.

    Raises
    ------
    InputError
        No truth, ``mentions`` below 2, or no form that often.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> words, true = [["Rome", "and", "Oslo"]] * 4, [["B-LOC", "O", "B-LOC"]] * 4
    >>> data = from_sentences(words, [["B-LOC", "O", "O"]] * 3 + [["B-LOC", "O", "B-LOC"]], name="d", true=true)
    >>> found = form_consistency(data)
    >>> found.share, round(found.expected, 3)
    (0.5, 0.172)
    """
    if mentions < 2:
        raise InputError(f"mentions is {mentions}; a form repeats from 2 mentions on.")
    given, true = judged_spans(dataset)
    wrong = ~np.isin(true, given)
    return consistency_of(dataset, true, wrong, mentions=mentions)


def consistency_of(
    dataset: TextDataset, spans: NDArray[Any], wrong: NDArray[np.bool_], *, mentions: int = 3
) -> FormConsistency:
    """The same for entities that are known to be wrong or right."""
    _, index, size = np.unique(surface_forms(dataset, spans), return_inverse=True, return_counts=True)
    bad = np.bincount(index, weights=wrong, minlength=len(size))
    kept = size >= mentions
    if not kept.any():
        raise InputError(
            f"No surface form of {dataset.name!r} has {mentions} true mentions; lower mentions, or use a longer text."
        )
    size, bad, rate = size[kept], bad[kept], float(wrong.mean())
    uniform = (bad == 0) | (bad == size)
    chance = rate**size + (1.0 - rate) ** size
    return FormConsistency(
        share=float(uniform.mean()),
        expected=float(chance.mean()),
        mention_share=float(np.average(uniform, weights=size)),
        mention_expected=float(np.average(chance, weights=size)),
        forms=int(kept.sum()),
    )


def surface_forms(dataset: TextDataset, spans: NDArray[Any]) -> NDArray[Any]:
    """The words of each entity as one text, shape (m,)."""
    words = dataset.tokens
    texts = np.array([str(word) for word in words[spans["start"]]], dtype=object)
    for place in np.flatnonzero(spans["end"] - spans["start"] > 1):
        texts[place] = " ".join(map(str, words[spans["start"][place] : spans["end"][place]]))
    return texts


def form_hashes(forms: NDArray[Any]) -> NDArray[np.uint64]:
    """A number per text that depends on the text only, shape (m,)."""
    known: dict[str, int] = {}
    for form in forms:
        if form not in known:
            digest = hashlib.blake2b(form.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            known[form] = int.from_bytes(digest, "little")
    return np.array([known[form] for form in forms], dtype=np.uint64)
