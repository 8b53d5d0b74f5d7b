"""Tests of the generated news."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.embedded import news
from labelnoise.text.schemes import repair


def forms(data: TextDataset) -> dict[str, set[int]]:
    found = defaultdict(set)
    for span in data.spans("true"):
        found[" ".join(data.tokens[span["start"] : span["end"]])].add(int(span["type"]))
    return found


@pytest.mark.parametrize("language", ["en", "de"])
def test_it_is_ambiguous_the_same_each_time_and_wrong_as_often_as_said(language: str) -> None:
    data = news(language)
    assert data.n_sentences == 1200
    assert data.content_hash() == news(language).content_hash() != news(language, seed=1).content_hash()
    assert sum(len(kinds) == 3 for kinds in forms(data).values()) >= 10
    assert any(len(form.split()) > 2 for form in forms(data))
    given, true = data.spans("given"), data.spans("true")
    damaged = len(true) - len(np.intersect1d(given, true))
    assert damaged == round(0.12 * len(true))
    assert (repair(data.given, starts=data.starts) == data.given).all()
    outside = {token.lower() for token, tag in zip(data.tokens, data.true) if tag == 0}
    assert len(outside & {form.lower() for form in forms(data)}) >= 5


def test_no_noise_is_no_noise_and_nonsense_is_refused() -> None:
    assert not news(n_sentences=50, noise_rate=0).is_wrong.any()
    for options, words in (
        ({"language": "fr"}, "choose one of: en, de"),
        ({"n_sentences": 3}, "at least 10"),
        ({"noise_rate": 0.9}, "noise_rate"),
    ):
        with pytest.raises(InputError, match=words):
            news(**options)
