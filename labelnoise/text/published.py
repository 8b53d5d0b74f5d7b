"""One run of each published setting of this modality, as the files in ``experiments`` name them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.domain import data_root
from labelnoise.core.random import generator
from labelnoise.core.transition_pairs import expected_error
from labelnoise.core.validation import InputError
from labelnoise.text.bilingual import Bilingual, joined
from labelnoise.text.colada import chosen_round, colada_rounds, entity_f1
from labelnoise.text.data import load_text
from labelnoise.text.dataset import TextDataset, entity_noise
from labelnoise.text.evidence import type_ids
from labelnoise.text.splits import draw_training, first_sentences
from labelnoise.text.viterbi import best_tags

__all__ = ["colada_transfer", "noise_level", "noise_model_error"]


def noise_level(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Wrong entities of a set in % (1 - micro F1 of given against true), its entities and its tags' accuracy in %.

    Of all tokens that have both tags, or of those of the setting's ``split``.
    """
    data = load_text(setting["dataset"], root=data_root("text"))
    assert data.true is not None
    true = data.true
    if "split" in setting:
        if setting["split"] not in data.masks:
            raise InputError(f"{data.name} has no split {setting['split']!r}; give its words, which tell it.")
        data = data.with_labels(np.where(data.masks[setting["split"]], data.given, -1), true=true)
    known = data.labelled & (true >= 0)
    return {
        "noise": 100 * entity_noise(data),
        "entities": float(len(data.spans())),
        "token_accuracy": 100 * float(np.mean(data.given[known] == true[known])),
    }


def noise_model_error(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Squared error of a confusion matrix of types counted from few pairs, mean over many draws.

    Beside it is what is to be expected by `labelnoise.core.transition_pairs.expected_error`, a class of which nothing
    was drawn being a row of zeros in both.
    """
    data = load_text(setting["dataset"], root=data_root("text"))
    assert data.true is not None
    known = data.labelled & (data.true >= 0)
    counts = np.zeros((len(data.types) + 1,) * 2)
    np.add.at(counts, (type_ids(data.true[known]), type_ids(data.given[known])), 1.0)
    transition = counts / counts.sum(axis=1, keepdims=True)
    draw, draws = generator(seed, "pairs of tags"), int(options["draws"])
    if "per_class" in setting:
        each = int(setting["per_class"])
        found = draw.multinomial(each, transition, size=(draws, len(transition)))
        expected = expected_error(transition, per_class=each)
    else:
        shares = counts / counts.sum()
        found = draw.multinomial(int(setting["pairs"]), shares.ravel(), size=draws).reshape(-1, *counts.shape)
        expected = expected_error(transition, n=int(setting["pairs"]), prior=shares.sum(axis=1))
    estimate = found / np.maximum(found.sum(axis=2, keepdims=True), 1)
    error = ((estimate - transition) ** 2).sum(axis=(1, 2))
    return {"squared_error": float(error.mean()), "expected_here": expected}


def colada_transfer(setting: Mapping[str, Any], options: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Entity F1 in % on the target's test sentences: direct transfer, CoLaDa, and what CoLaDa gains.

    The seed draws the training sentences of both languages. The round is the one that validation sentences of the
    source choose.
    """
    root, held = data_root("text"), {"val": int(options["source_val"])}
    texts = [
        first_sentences(
            load_text(name, root=root),
            {**options["sentences"], **(held if name == setting["source"] else {})},
        )
        for name in options["languages"]
    ]
    features = dict(zip(options["languages"], _features(texts, str(options["encoder"]))))
    data = dict(zip(options["languages"], texts))
    source, target = setting["source"], setting["target"]
    both = Bilingual(
        draw_training(data[source], int(options["draw"]), seed),
        None,
        draw_training(data[target], int(options["draw"]), seed),
        encoded=np.concatenate([features[source], features[target]]),
        k=int(options["k"]),
        seed=seed,
        sample=int(options["sample"]),
    )
    test, scores, records = both.target.masks["test"], [], []
    for one in colada_rounds(both, rounds=int(options["rounds"]), soft=False):
        tags = best_tags(one.model.predict(both.target_features), both.target.starts)
        scores.append(100 * entity_f1(both.target, tags, test))
        records.append(one.record)
    found = scores[chosen_round(tuple(records), "source")]
    return {"direct_f1": scores[0], "colada_f1": found, "gain": found - scores[0]}


def _features(texts: Sequence[TextDataset], encoder: str) -> list[NDArray[np.float32]]:
    """Features of every token, all texts in one space; "words": hashed looks of words, which tell languages nothing."""
    whole = joined(*texts)
    if encoder == "words":
        from sklearn.random_projection import SparseRandomProjection

        from labelnoise.text.features import token_features

        drawn = SparseRandomProjection(64, dense_output=True, random_state=0)
        found = drawn.fit_transform(token_features(whole.tokens, whole.starts)).astype(np.float32)
    else:
        folder = os.environ.get("LABELNOISE_ENCODER")
        if not folder:
            raise InputError(
                "Transfer between languages needs a multilingual encoder; set LABELNOISE_ENCODER to the folder of one."
            )
        from labelnoise.text.encoder import encode_tokens

        found = encode_tokens(whole, folder)
    return np.split(found, np.cumsum([text.n_units for text in texts])[:-1])
