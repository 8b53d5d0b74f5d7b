"""Files of spaCy without spaCy: what 3.8 wrote is read, and written back with only changed entities changed."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelnoise.core.validation import InputError
from labelnoise.text.embedded import news
from labelnoise.text.spacy_bin import read_spacy, write_spacy
from labelnoise.text.spacy_strings import string_id

# Written by spaCy 3.8.18, all attributes, with user data: two sentences with entities and a span group, a document
# whose entities are not known, an empty one, and one without entities.
WRITTEN = base64.b64decode("""
eJzrWl6WWlScmZ+32EDPcGliSUlR8VxHZ08vbx9fP/+As4xHzjIePct4bFlJfnZqXvFRtoY/JhZeXKWzt5yKnsisaRbOyEAAMEPp
GjSVhDTu2xl67OFDbx4YTcgeJhzi/6EAl756qEPeKEkdcv3atpRW9txxskgOsH12DEbTyh6TuVcVM3bkfDsavGD/B9/HGwjZA4sf
+cjXlkLLSq7CxAnFz9aNs6aKMbDXw2hC9sDMQ7eHkH/U1/ze63ub4/Ky+dvvSuhyctDKnuRNtyfr7lujCaMJ2UNu/GzcM2Va/2el
jE8vfT+x8f1wJGQPLH4a0CIEZs9Nnpvaf7O296Hr28Lhc/1V7excnelHa/dqzVAjZA/MeFLtybb7umFlvKIIjCZkD7nhtujQGp83
N+vXw2ha2bPStPqeFftOX5f0LWIGpT/MCdmDCxDKP3VvPb8ls/Q0w2hy7SEEDEt8tSOObpYufGi4Ju7ap7eE1OMKN0L+WfvYqsYy
WfQTjCbXHkJgWXFBYnJq8REBRiAAOgtCAuHynNS89JIMoAwPkvEgenlxSVFmXnrxHQa5BQt1F+otdkxJXOKUmJe9HEQoOLovdg9w
Xe57eE9OTmrRYr/U8mV++Un5KZWL/YPcl/gX5+QvC3ANCvb3WxxoZrAwYklkflH24kSgEUlA3Ysy85bl5AMrx5TFuakly3OhhuQB
DckDG7IoP21xflH6knygOYvL8/OWVAK1L/kwf1bDkuTEkuIpjUuAaotP2z+AuLehoWFpWk5iOlBiU0ZicXxpXnZefnlePMTXhygU
XA2k8+LTi/JLC4qnHPFoPOLYvCQvMTd1UXEypO5vWApSUTzxiAaO4E9Fiz62iUC9RxgnQNDK0uLUoviUxJLEKUfYGhdmT2JkOsLY
AEEAwsSeFg==
""")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.spacy").write_bytes(WRITTEN)
    return tmp_path / "a.spacy"


def message(content: bytes) -> dict[str, Any]:
    return dict(msgpack.unpackb(zlib.decompress(content), strict_map_key=False))


def test_what_spacy_wrote_is_read(path: Path) -> None:
    data = read_spacy(path)
    assert " ".join(data.tokens) == "Ada of ORG met Müller - Bank in New York 🚀 . Nobody looked Oslo won"
    assert data.types == ("Bank AG", "GPE", "PERSON")
    assert data.given.tolist() == [5, 0, 0, 0, 1, 2, 2, 0, 3, 4, 0, 0, -1, -1, 0, 0]
    assert data.starts.tolist() == [0, 4, 12, 14, 16]
    assert data.documents is not None
    assert data.documents.tolist() == [0, 0, 1, 2]
    write_spacy(data, path)
    assert path.read_bytes() == WRITTEN


def test_an_entity_without_its_beginning_gets_one(path: Path) -> None:
    told = message(path.read_bytes())
    table = np.frombuffer(told["tokens"], "<u8").reshape(-1, len(told["attrs"])).copy()
    place = told["attrs"].index(77)
    assert table[4, place] == 3
    table[4, place] = 1  # "met" lies outside, so that nothing goes on here
    path.write_bytes(zlib.compress(msgpack.packb({**told, "tokens": table.tobytes()}, use_bin_type=True)))
    data = read_spacy(path)
    assert data.given[4] == 1
    write_spacy(data, path)
    assert read_spacy(path).given.tolist() == data.given.tolist()


def test_only_changed_entities_change(path: Path) -> None:
    data = read_spacy(path)
    labels = data.given.copy()
    labels[0], labels[8] = 1, 0  # Ada becomes a bank; New is none, so that York begins
    write_spacy(data.with_labels(labels), path)
    again = read_spacy(path)
    labels[9] = 3
    assert again.given.tolist() == labels.tolist()
    before, after = message(WRITTEN), message(path.read_bytes())
    columns = len(before["attrs"])
    tables = [np.frombuffer(one.pop("tokens"), "<u8").reshape(-1, columns) for one in (before, after)]
    place = [before["attrs"].index(77), before["attrs"].index(78)]
    changed = tables[0] != tables[1]
    assert sorted(set(np.nonzero(changed)[0].tolist())) == [0, 8, 9]
    assert set(np.nonzero(changed)[1].tolist()) <= set(place)
    assert before == after


def test_any_text_is_written_as_documents(tmp_path: Path) -> None:
    data = news()
    write_spacy(data, tmp_path / "n.spacy")
    again = read_spacy(tmp_path / "n.spacy")
    assert list(again.tokens) == list(data.tokens)
    assert np.array_equal(again.given, data.given)
    assert np.array_equal(again.starts, data.starts)


@pytest.mark.parametrize(
    ("text", "number"),
    # By spacy.strings.get_string_id.
    [
        ("", 0),
        ("ORTH", 65),
        ("ORG", 383),
        ("_", 456),
        ("Müller-Bank", 4441024543450119611),
        ("abcdefgh", 17751780907874141760),
        ("abcdefghi", 13885881106499164936),
    ],
)
def test_strings_have_the_ids_of_spacy(text: str, number: int) -> None:
    assert string_id(text) == number


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attrs": [65]}, "stores no entities"),
        ({"strings": []}, "uses the string"),
        ({"lengths": b"abcd"}, "do not add up"),
        ({"tokens": b"abc"}, "no rows of"),
        ({"tokens": b"", "lengths": b""}, "holds no tokens"),
        ({"strings": [1]}, "its strings are none"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    content = zlib.compress(msgpack.packb({**message(WRITTEN), **change}))
    (tmp_path / "a.spacy").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_spacy(tmp_path / "a.spacy")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_read_or_refused_in_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    plain = bytearray(zlib.decompress(WRITTEN))
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(WRITTEN)))
    for content in (zlib.compress(bytes(plain)), WRITTEN[:end], data.draw(st.binary(max_size=40))):
        (tmp_path / "a.spacy").write_bytes(content)
        try:
            read_spacy(tmp_path / "a.spacy")
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017
