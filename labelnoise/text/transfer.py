"""Tags of one language carried to the text of another: the ways to do it by name, and features for both."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.trained import Trained
from labelnoise.core.validation import NO_LABEL, InputError, choose
from labelnoise.text.bilingual import Bilingual, joined
from labelnoise.text.colada import colada
from labelnoise.text.dataset import TextDataset, retyped
from labelnoise.text.evaluation import entity_report
from labelnoise.text.features import token_features
from labelnoise.text.schemes import bio_names
from labelnoise.text.two_views import transfer_by_two_views
from labelnoise.text.viterbi import best_tags

__all__ = ["TRANSFERS", "shared_columns", "tagged", "transfer", "transfer_scores", "truth_of"]

_HOME = "labelnoise.text.transfer:"
#: Columns of features of words, where no encoder is given.
COLUMNS = 64

#: Ways to carry tags to another language; a target is ``f(source, translated, target, encoded, seed, **options)``.
TRANSFERS = Registry("way of transfer")
TRANSFERS.add(
    Entry(
        "two-views",
        _HOME + "by_two_views",
        "A head on the encoder's features and a model of the target's words teach each other.",
        "this project, on Blum, Mitchell 1998 (co-training)",
        helps="From English on WikiANN: 70.0 in German, 71.1 in Spanish, 71.0 in Dutch, where direct has 63.2, 64.8, 66.0.",
        hurts="Takes no translation; by words alone, without an encoder, it adds nothing to direct.",
    ),
    Entry(
        "colada",
        _HOME + "by_colada",
        "Two models denoise each other's tags, weighed by the tags of their neighbours.",
        "Ma, Lin, Zhao et al. 2023, CoLaDa, ACL",
        helps="Uses a translation with carried tags, if there is one.",
        hurts="Without one 64.7, 65.7 and 68.5 on the same WikiANN texts: 1.6 above direct on average.",
    ),
    Entry(
        "direct",
        _HOME + "directly",
        "The head of the source's own tags, as it is.",
        "this project: the row that every other way has to beat",
        helps="Seconds, and nothing to drift.",
        hurts="Knows nothing of the target's words: 63.2, 64.8 and 66.0 on the same texts.",
    ),
)


def transfer(
    source: TextDataset,
    target: TextDataset,
    *,
    translated: TextDataset | None = None,
    method: str = "two-views",
    encoder: str | Path | None = None,
    seed: int = 0,
    **options: Any,
) -> Trained:
    """Tag a text in a language without tags, from tagged text in another one.

    Parameters
    ----------
    source : TextDataset
        With tags.
    target : TextDataset
        Its tags are not looked at.
    translated : TextDataset, optional
        The source in the target's language with tags carried over, which may be wrong; for the method "colada".
    method : str
        Of `TRANSFERS`.
    encoder : str or path, optional
        A folder (or hub's name) of a multilingual Hugging Face encoder. Without one the features are those of words
        that both languages share (`shared_columns`): enough for names, affixes and shapes that they have in common.
    seed : int
    **options
        Of the method.

    Returns
    -------
    Trained
        Of the target's tokens, in the source's tags.

    Raises
    ------
    InputError
        Unknown method, no tag in the source, an encoder that cannot be loaded, a translation that the method takes
        none of or that has other types.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> found = transfer(news("en", 300), news("de", 300), method="direct")
    >>> found.method, len(found.warnings)
    ('direct', 1)
    """
    choose(method, TRANSFERS, TRANSFERS.what)
    if not (source.given > 0).any():
        raise InputError(
            f"{source.name} has no tagged entity; what is to be carried over must be tagged there."
        )
    if translated is not None:
        if method != "colada":
            raise InputError(f"The method {method!r} takes no translation; use colada, or leave it out.")
        extra = sorted(set(translated.types) - set(source.types))
        if extra:
            raise InputError(
                f"The translation has the types {', '.join(extra)}, which the source lacks; give both the same types."
            )
        translated = retyped(translated, source.types)
    parts = [source, *([translated] if translated is not None else []), target]
    warnings = []
    if encoder is None:
        encoded = shared_columns(parts)
        warnings.append(
            "No encoder was given: only what both languages spell alike is carried over; a multilingual encoder finds "
            "much more."
        )
    else:
        from labelnoise.text.encoder import encode_tokens

        encoded = encode_tokens(joined(*parts), encoder)
    made: Trained = TRANSFERS[method].load()(source, translated, target, encoded, seed, **options)
    info = {**made.info, "encoder": None if encoder is None else str(encoder)}
    return replace(made, method=method, warnings=(*warnings, *made.warnings), info=info)


def directly(
    source: TextDataset,
    translated: TextDataset | None,
    target: TextDataset,
    encoded: NDArray[Any],
    seed: int = 0,
    *,
    l2: float | None = None,
    centred: bool = True,
    beside: int = 0,
) -> Trained:
    """The head of the source's tags; see `labelnoise.text.bilingual.Bilingual` for the options."""
    texts = Bilingual(source, None, target, encoded=encoded, seed=seed, centred=centred, beside=beside)
    head, penalty, score = texts.direct(l2)
    probs = head.predict(texts.target_features).astype(np.float64)
    probs /= probs.sum(axis=1, keepdims=True)
    return Trained(
        method="direct",
        predicted=best_tags(probs, target.starts),
        probs=probs,
        history=({"round": 0, "source_val_f1": score, "l2": penalty},),
        selected_by="entity F1 on validation sentences of the source language",
        chosen=0,
        info={"seed": seed, "centred": centred, "beside": beside},
    )


def by_colada(
    source: TextDataset,
    translated: TextDataset | None,
    target: TextDataset,
    encoded: NDArray[Any],
    seed: int = 0,
    *,
    rounds: int = 3,
    k: int = 500,
    sample: int | None = 4000,
    select: str = "source",
    centred: bool = True,
    beside: int = 0,
    l2: float | None = None,
) -> Trained:
    """`labelnoise.text.colada.colada` as it was measured."""
    return colada(
        source,
        translated,
        target,
        encoded=encoded,
        seed=seed,
        rounds=rounds,
        k=k,
        sample=sample,
        select=select,
        centred=centred,
        beside=beside,
        l2=l2,
    )


def by_two_views(
    source: TextDataset,
    translated: TextDataset | None,
    target: TextDataset,
    encoded: NDArray[Any],
    seed: int = 0,
    *,
    rounds: int = 3,
    sharpness: float = 1.5,
    shares: float = 0.5,
    beside: int | None = None,
    centred: bool = True,
    l2: float | None = None,
) -> Trained:
    """`labelnoise.text.two_views.transfer_by_two_views`; of narrow features no neighbours' stand beside."""
    return transfer_by_two_views(
        source,
        target,
        encoded=encoded,
        seed=seed,
        rounds=rounds,
        sharpness=sharpness,
        shares=shares,
        beside=(128 if encoded.shape[1] > COLUMNS else 0) if beside is None else beside,
        centred=centred,
        l2=l2,
    )


def shared_columns(parts: list[TextDataset], columns: int = COLUMNS) -> NDArray[np.float32]:
    """Dense features of the tokens of several texts from what their words share, behind each other.

    Forms, shapes, affixes and direct neighbours that occur in all texts, reduced to their leading singular vectors.

    Raises
    ------
    InputError
        The texts share nothing.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> shared_columns([news("en", 50), news("de", 50)], 8).shape[1]
    8
    """
    from sklearn.utils.extmath import randomized_svd

    both = joined(*parts)
    words = token_features(both.tokens, both.starts, window=1)
    edges = np.cumsum([0, *(part.n_units for part in parts)])
    there = np.ones(words.shape[1], dtype=bool)
    for first, last in pairwise(edges.tolist()):
        there &= np.bincount(words[first:last].indices, minlength=words.shape[1]) > 0
    words = words[:, np.flatnonzero(there)]
    width = min(columns, *words.shape)
    if width < 1:
        raise InputError("The texts share no word, affix or shape; give an encoder.")
    left, values, _ = randomized_svd(words, width, n_iter=2, random_state=0)
    found = left * values
    return np.asarray(found / np.sqrt(max(float((found**2).mean()), 1e-12)), dtype=np.float32)


def tagged(target: TextDataset, predicted: NDArray[np.int64], types: tuple[str, ...]) -> TextDataset:
    """The target with predicted tags, which are numbered by ``types``, ready to be written.

    Its own types keep their numbers, as the layout of its file refers to them; new ones follow.
    """
    every = (*target.types, *(kind for kind in types if kind not in target.types))
    at = {name: place for place, name in enumerate(bio_names(every))}
    number = np.array([at[name] for name in bio_names(types)])
    return replace(target, given=number[predicted], true=None, class_names=bio_names(every))


def truth_of(target: TextDataset, truth: TextDataset | None) -> tuple[TextDataset, str] | None:
    """Tags to score against, as given ones, and what they are; None where there are none.

    Raises
    ------
    InputError
        A truth with other words than the target.
    """
    if truth is not None:
        same = truth.n_units == target.n_units and bool((truth.tokens == target.tokens).all())
        if not same or not np.array_equal(truth.starts, target.starts):
            raise InputError(
                f"{truth.name} ({truth.n_units:,} tokens) does not hold the words of {target.name} "
                f"({target.n_units:,}) in the same sentences; give the same text with its true tags."
            )
    told = target if truth is None else truth
    if told.true is not None and (told.true >= 0).any():
        return replace(told, given=told.true, true=None), "true"
    if truth is not None or (told.given > 0).any():
        return replace(told, true=None), "given"
    return None


def transfer_scores(
    found: TextDataset, truth: TextDataset, mask: NDArray[np.bool_] | None = None
) -> dict[str, dict[str, Any]]:
    """Precision, recall and F1 (lenient) of all entities and of each type of either.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> found = from_sentences([["Rome", "Ada"]], [["B-LOC", "O"]], name="f")
    >>> truth = from_sentences([["Rome", "Ada"]], [["B-LOC", "B-PER"]], name="t")
    >>> {name: (row["recall"], row["entities"]) for name, row in transfer_scores(found, truth).items()}
    {'all': (0.5, 2), 'LOC': (1.0, 1), 'PER': (0.0, 1)}
    """
    types = (*found.types, *(kind for kind in truth.types if kind not in found.types))
    one, other = retyped(found, types), retyped(truth, types)
    tags = other.given if mask is None else np.where(mask, other.given, NO_LABEL)
    return entity_report(tags, one.given, types=types, starts=found.starts)["lenient"]
