"""Targets: readers of tagged text."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.examples import news, table, written
from fuzz.mutate import Files
from fuzz.structured import json_files, line_files
from fuzz.target import Target, use_dataset

_LINES = (
    "EU B-ORG",
    "rejects O",
    "German B-MISC",
    "call O",
    "",
    "Peter B-PER",
    "Blackburn I-PER",
    "",
    "#tag O",
    ". O",
)


def conll() -> Files:
    return {"a.conll": table("-DOCSTART- O", "", *_LINES)}


def splits() -> Files:
    return {
        f"{split}.txt": table(*(line.replace(" ", "\t") for line in _LINES))
        for split in ("train", "dev", "test")
    }


def numbered() -> Files:
    rows = [
        "# newdoc id = 1",
        "# text = EU rejects",
        "1-2\tEUr\t_\t_",
        "1\tEU\tB-ORG\tO",
        "2\trejects\tO\tO",
        "",
    ]
    rows += ["1\tPeter\tB-PER\t_", "2\tB\tI-PER\t_", "2.1\tx\t_\t_", ""]
    return {"a.conllu": table(*rows)}


def jsonl() -> Files:
    rows = ['{"text": "Ada left Rome.", "label": [[0, 3, "PER"], [9, 13, "LOC"]], "id": 7}']
    rows += ['{"text": "No one.", "entities": [{"start_offset": 0, "end_offset": 2, "label": "X", "id": 1}]}']
    rows += ['{"text": "Bob ran", "spans": [{"start": 0, "end": 3, "label": "PER"}], "tokens": [{"start": 0, "end": 3},'
             ' {"start": 4, "end": 7}]}']  # fmt: skip
    return {"a.jsonl": table(*rows)}


def label_studio() -> Files:
    import json

    region = {"type": "labels", "id": "r", "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}}
    tasks = [
        {
            "id": 7,
            "data": {"text": "Ada left 🙂 Rome."},
            "annotations": [{"result": [region], "was_cancelled": False}],
        },
        {"id": 8, "data": {"text": "Nobody."}, "annotations": []},
    ]
    return {"a.json": json.dumps(tasks, indent=2).encode()}


def label_studio_min() -> Files:
    import json

    label = [{"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}]
    return {
        "a.json": json.dumps(
            [{"text": "Ada left", "id": 1, "label": label}, {"text": "Go", "id": 2, "label": []}]
        ).encode()
    }


def saved_folder() -> Files:
    """As ``save_to_disk`` of datasets leaves it."""
    import json

    made: Files = {"dataset_dict.json": json.dumps({"splits": ["train", "test"]}).encode()}
    for split in ("train", "test"):
        made[f"{split}/data-00000-of-00001.arrow"] = written("text", news(), "a.arrow")["a.arrow"]
        state = {
            "_data_files": [{"filename": "data-00000-of-00001.arrow"}],
            "_split": split,
            "_indices_data_files": None,
        }
        made[f"{split}/state.json"] = json.dumps(state).encode()
        made[f"{split}/dataset_info.json"] = b"{}"
    return made


def noisebench() -> Files:
    clean = table(
        "-DOCSTART- O",
        "",
        "[TOK] B-LOC",
        "[TOK] O",
        "",
        "[TOK] O",
        "",
        "-DOCSTART- O",
        "",
        "[TOK] B-PER",
        "[TOK] I-PER",
    )
    words = table(
        "-DOCSTART- O",
        "",
        "Rome B-LOC",
        "fell O",
        "",
        "1996-08-24 O",
        "",
        "-DOCSTART- O",
        "",
        "Ada B-PER",
        "L I-PER",
    )
    index = table("docstart", "1", "2", "docstart", "4")
    return {"annotations/clean.traindev": clean, "annotations/noise_crowd.traindev": clean.replace(b"B-LOC", b"O"),
            "annotations/index.txt": index, "annotations/cleanconll.train": words}  # fmt: skip


def noisebench_german() -> Files:
    labels = table("[TOK] O", "", "[TOK] B-LOC", "[TOK] O", "", "[TOK] O", "", "[TOK] B-PER", "[TOK] I-PER")
    words = table(
        "-DOCSTART- -X- -X- -X- O",
        "",
        "Rom Rom NE I-NC B-LOC",
        "fiel fallen VVFIN I-VC O",
        "",
        "-DOCSTART- -X- -X- -X- O",
        "",
        "Ada Ada NE I-NC B-PER",
        "L L NE I-NC I-PER",
    )
    return {"annotations/clean.deu": labels, "annotations/noise_llm.deu": labels.replace(b"B-LOC", b"O"),
            "annotations/deu.train": words, "annotations/deu.testb": words}  # fmt: skip


def _untagged(folder: Path) -> Any:
    from labelnoise.text.untagged import load_untagged

    return load_untagged(str(folder / "a.txt"))


def _npy(shape: tuple[int, ...]) -> bytes:
    made = io.BytesIO()
    np.save(made, np.full(shape, 1 / shape[-1], dtype=np.float32))
    return made.getvalue()


def probs() -> Files:
    return {"p.npy": _npy((news().n_units, news().n_classes))}


def features() -> Files:
    return {"f.npy": _npy((news().n_units, 8))}


def _text(name: str) -> Any:
    def read(folder: Path) -> Any:
        from labelnoise.text.files import read_text

        return read_text(folder / name)

    return read


def _public(name: str, inside: str = "") -> Any:
    def read(folder: Path) -> Any:
        from labelnoise.text.public import PUBLIC

        return PUBLIC[name].read(folder / inside)

    return read


def _published(name: str) -> Files:
    """The columns of a published set, a few lines in each of its files."""
    from labelnoise.text.public import PUBLIC

    files = PUBLIC[name].files
    if name.startswith("noisyner"):
        rows = {files[0]: table("EU\tB-ORG\tO", "on\tO\tO", "", "Ada\tB-PER\tB-PER")}
        return {**rows, "estner_clean.test": table("EU\tB-ORG\tO", "on\tO\tO")}
    numbered = name.startswith(("uner", "wikiann"))
    lines = ["EU\tB-ORG", "on\tO", "", "Ada\tB-PER", "L\tI-PER"]
    if numbered:
        lines = [f"{1 + i % 3}\t{line}\t-\t-" if line else "" for i, line in enumerate(lines)]
    if name.startswith("conll"):
        lines = ["-DOCSTART- -X- O", "", "EU NNP B-ORG", "on VB O", "", "Ada NNP I-PER"]
    return {file: table(*lines) for file in files}


def _names(*stems: str) -> tuple[str, ...]:
    from labelnoise.text.public import PUBLIC

    return tuple(f"text:{name}" for name in PUBLIC if name.startswith(stems))


def _read_probs(folder: Path) -> Any:
    from labelnoise.text.baselines import _read

    return _read(str(folder / "p.npy"), news())


def _read_features(folder: Path) -> Any:
    from labelnoise.text.calibrated import token_columns

    return token_columns(news(), None, str(folder / "f.npy"))


def _pair(folder: Path) -> Any:
    from labelnoise.text.data import load_text

    return load_text(str(folder / "a.conll"))


def _arrow(ending: str) -> Files:
    return written("text", news(), f"a{ending}")


def _joined() -> Files:
    return {f"{split}.jsonl": jsonl()["a.jsonl"] for split in ("train", "dev")}


def _joined_folder(folder: Path) -> Any:
    from labelnoise.text.files import read_text

    return read_text(folder)


def _use_folder(data: Any, folder: Path) -> None:
    """Folders are written back as folders."""
    import numpy as np

    from labelnoise.core.domain import get_domain

    domain = get_domain("text")
    data.content_hash()
    domain.describe(data)
    target = folder / "copy"
    domain.save(data, target)
    again = domain.load(str(target))
    assert np.array_equal(np.array(again.class_names)[again.given], np.array(data.class_names)[data.given])


_FILES = "labelnoise.text.files:read_text"
_CONLL = "labelnoise.text.conll:read_conll"
_LINES_OF = "labelnoise.text.conll:read_text_file"
_USE = use_dataset("text", ".conll")
_ARROW = "labelnoise.text.arrow:read_arrow"

TARGETS = [
    Target(
        "text.conll",
        conll,
        _pair,
        ("labelnoise.text.data:load_text", _FILES, _CONLL, _LINES_OF),
        use=_USE,
        strategy=lambda: line_files(conll(), "a.conll"),
        single="a.conll",
    ),
    Target("text.conll-splits", splits, _joined_folder, (_FILES, _CONLL), use=_use_folder),
    Target(
        "text.conll-numbered",
        numbered,
        _text("a.conllu"),
        (_FILES, _CONLL),
        use=_USE,
        strategy=lambda: line_files(numbered(), "a.conllu"),
    ),
    Target(
        "text.jsonl",
        jsonl,
        _text("a.jsonl"),
        ("labelnoise.text.jsonl:read_jsonl", "labelnoise.text.jsonl:load_json"),
        use=use_dataset("text", ".jsonl"),
        strategy=lambda: json_files(jsonl(), "a.jsonl"),
        single="a.jsonl",
    ),
    Target(
        "text.label-studio",
        label_studio,
        _text("a.json"),
        ("labelnoise.text.label_studio:read_label_studio",),
        use=use_dataset("text", ".json"),
        strategy=lambda: json_files(label_studio(), "a.json"),
    ),
    Target(
        "text.label-studio-min",
        label_studio_min,
        _text("a.json"),
        ("labelnoise.text.label_studio:read_label_studio",),
        use=use_dataset("text", ".json"),
        strategy=lambda: json_files(label_studio_min(), "a.json"),
    ),
    Target(
        "text.spacy",
        lambda: written("text", news(), "a.spacy"),
        _text("a.spacy"),
        ("labelnoise.text.spacy_bin:read_spacy",),
        use=use_dataset("text", ".spacy"),
        single="a.spacy",
    ),
    Target(
        "text.parquet",
        lambda: _arrow(".parquet"),
        _text("a.parquet"),
        (_ARROW,),
        use=use_dataset("text", ".parquet"),
    ),
    Target(
        "text.arrow", lambda: _arrow(".arrow"), _text("a.arrow"), (_ARROW,), use=use_dataset("text", ".arrow")
    ),
    Target(
        "text.saved-folder",
        saved_folder,
        _joined_folder,
        (_ARROW,),
        use=_use_folder,
        strategy=lambda: json_files(saved_folder(), "train/state.json"),
    ),
    Target("text.joined", _joined, _joined_folder, ("labelnoise.text.joined:join_files",), use=_use_folder),
    Target(
        "text.noisebench",
        noisebench,
        _public("noisebench-crowd", "annotations"),
        ("labelnoise.text.noisebench:read_noisebench",),
        _names("noisebench"),
        use=use_dataset("text", "", copy=False),
    ),
    Target(
        "text.noisebench-german",
        noisebench_german,
        _public("noisebench-de-llm", "annotations"),
        ("labelnoise.text.noisebench_german:read_german_noisebench",),
        _names("noisebench-de"),
        use=use_dataset("text", "", copy=False),
    ),
    Target(
        "text.untagged",
        lambda: {"a.txt": table("Rome", "sleeps", "", "Oslo")},
        _untagged,
        ("labelnoise.text.untagged:load_untagged",),
        strategy=lambda: line_files({"a.txt": table("Rome", "sleeps", "", "Oslo")}, "a.txt"),
    ),
    *(
        Target(
            f"text.public-{stem}",
            lambda name=name: _published(name),
            _public(name),
            (_CONLL,),
            _names(stem),
            use=use_dataset("text", "", copy=False),
        )
        for stem, name in (
            ("noisyner", "noisyner-1"),
            ("wnut17", "wnut17"),
            ("uner", "uner-ewt"),
            ("wikiann", "wikiann-en"),
            ("conll", "conll03-en"),
        )
    ),
    Target("text.probs", probs, _read_probs, ("labelnoise.text.baselines:_read",), single="p.npy"),
    Target("text.features", features, _read_features, ("labelnoise.text.calibrated:token_columns",)),
]
