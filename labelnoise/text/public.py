"""The public sets of tagged text: where each lies, under which licence, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.core.domain import DatasetInfo
from labelnoise.core.validation import NO_LABEL
from labelnoise.text.conll import read_conll
from labelnoise.text.dataset import TextDataset
from labelnoise.text.noisebench import NOISE_SETS, read_noisebench
from labelnoise.text.noisebench_german import GERMAN_SETS, german_text, label_files, read_german_noisebench

__all__ = ["PUBLIC", "PublicText"]

_NOISEBENCH = (
    "https://raw.githubusercontent.com/elenamer/NoiseBench/cbe56633b0f45ec47d827c992da2572d597d7329/data/"
)
_WNUT = "https://raw.githubusercontent.com/leondz/emerging_entities_17/HEAD/"
_UNER = "https://raw.githubusercontent.com/UniversalNER/UNER_English-EWT/HEAD/"


@dataclass(frozen=True)
class PublicText:
    """Where a public set lies and how it is read.

    Attributes
    ----------
    info : DatasetInfo
    folder : str
        Below the root for text.
    files : tuple of str or of tuple of str
        All that it needs; a tuple are names of one file, the usual one first.
    read : callable
        ``read(folder) -> TextDataset``.
    url : str
        What stands before each file name; empty where the files are the user's own copy.
    sha256 : mapping
        By file.
    """

    info: DatasetInfo
    folder: str
    files: tuple[str | tuple[str, ...], ...]
    read: Callable[[Path], TextDataset]
    url: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)

    def lies_in(self, folder: Path) -> bool:
        """Whether a folder holds all files, each under one of its names."""
        return all(any((folder / name).is_file() for name in _names(file)) for file in self.files)

    @property
    def usual(self) -> tuple[str, ...]:
        """The usual name of each file."""
        return tuple(_names(file)[0] for file in self.files)

    def listed(self) -> str:
        """Its files as the end of a sentence names them."""
        return ", ".join(" or ".join(_names(file)) for file in self.files)


def _names(file: str | tuple[str, ...]) -> tuple[str, ...]:
    return (file,) if isinstance(file, str) else file


def _splits(name: str, files: Mapping[str, str], **options: Any) -> Callable[[Path], TextDataset]:
    def read(folder: Path) -> TextDataset:
        return read_conll({split: folder / file for split, file in files.items()}, name=name, **options)

    return read


def _noisebench(noise: str) -> Callable[[Path], TextDataset]:
    def read(folder: Path) -> TextDataset:
        beside = [folder / "cleanconll.train", folder.parent / "cleanconll.train"]
        text = next((path for path in beside if path.is_file()), None)
        return read_noisebench(folder, noise, text=text)

    return read


def _german_noisebench(noise: str) -> Callable[[Path], TextDataset]:
    def read(folder: Path) -> TextDataset:
        text, test = german_text(folder)
        return read_german_noisebench(folder, noise, text=text, test=test)

    return read


def _noisyner(name: str, file: str) -> Callable[[Path], TextDataset]:
    """The noisy training text; the clean splits beside it, where they are, are truth alone and carry no label."""
    clean = {"val": "estner_noisy_labelset0.dev", "test": "estner_clean.test"}

    def read(folder: Path) -> TextDataset:
        parts = {"train": file, **{split: part for split, part in clean.items() if (folder / part).is_file()}}
        paths = {split: folder / part for split, part in parts.items()}
        data = read_conll(paths, name=name, token_column=0, true_column=1, tag_column=2)
        given = np.where(data.masks["train"], data.given, NO_LABEL)
        # Nothing of the clean files is to be written, so what they held before is "no label" too.
        return replace(data, given=given, layout=replace(data.layout, given=given))

    return read


_NOISEBENCH_SHA = {
    "clean.traindev": "c4be0e8ca6a677a2243d9e5bca23fae742cd74f0abe6dac0308c4543b442063e",
    "index.txt": "cef2df50def399da257c050cad4f2c4b25b5e2d350c6220c340f41eb0e2ec9a0",
    "noise_crowd.traindev": "7ec13768ae7955aec9825ae9e6ef6576bb3968418f5e7d6bd0c79bc28ae726c0",
    "noise_crowdbest.traindev": "cb8e47bc605a0b54315747e0f1e644b337f72829ccc540a3485e796077d2a2b2",
    "noise_distant.traindev": "2adcfa20dbdf4d83231e0a1b3396a5dfaef69778e64253aa10757452a9cf910c",
    "noise_expert.traindev": "287266370382bc6d15f3705976f2835ac3eceff6ee9a3ce26bd439d608015e17",
    "noise_llm.traindev": "d65e5c4ce16f90b055ac19f64e521e60943fb1054f8b53b1826997cc193dde11",
    "noise_weak.traindev": "b144087625a56791c7d515734693bc593d5f92cbe165d9ea1ac1ae7f747c385a",
}


def _texts() -> list[PublicText]:
    own = "your own files"
    texts = []
    for noise, level in NOISE_SETS.items():
        label_file = "clean.traindev" if noise == "clean" else f"noise_{noise}.traindev"
        summary = f"NoiseBench, {noise} labels: {level:.1%} wrong entities; words need your cleanconll.train"
        texts.append(
            PublicText(
                DatasetInfo(
                    f"noisebench-{noise}",
                    summary,
                    "MIT (labels)",
                    "github.com/elenamer/NoiseBench",
                    real_noise=True,
                ),
                "noisebench_masked/annotations",
                ("clean.traindev", "index.txt", *({label_file} - {"clean.traindev"})),
                _noisebench(noise),
                _NOISEBENCH + "annotations/",
                _NOISEBENCH_SHA,
            )
        )
    for noise, level in GERMAN_SETS.items():
        summary = f"NoiseBench in German, {noise} labels: {level:.1%} wrong entities (train); words need your deu.train"
        info = DatasetInfo(
            f"noisebench-de-{noise}",
            summary,
            "MIT (labels)",
            "github.com/elenamer/NoiseBench",
            real_noise=True,
        )
        files = tuple(dict.fromkeys([label_files("clean"), label_files(noise)]))
        read = _german_noisebench(noise)
        texts.append(PublicText(info, "noisebench_masked/annotations_german", files, read))
    for number in range(1, 8):
        file = f"estner_noisy_labelset{number}.train"
        info = DatasetInfo(
            f"noisyner-{number}",
            f"NoisyNER, Estonian, distant supervision {number} of 7, with clean labels",
            "text CC BY-NC, labels CC BY 4.0",
            "github.com/uds-lsv/NoisyNER",
            real_noise=True,
        )
        texts.append(PublicText(info, "noisyner", (file,), _noisyner(info.name, file)))
    wnut = {"train": "wnut17train.conll", "val": "emerging.dev.conll", "test": "emerging.test.annotated"}
    texts.append(
        PublicText(
            DatasetInfo(
                "wnut17",
                "Emerging entities of social media, 6 types",
                "CC BY 4.0",
                "github.com/leondz/emerging_entities_17",
            ),
            "wnut17",
            tuple(wnut.values()),
            _splits("wnut17", wnut, token_column=0, tag_column=1, separator="\t"),
            _WNUT,
            {
                "wnut17train.conll": "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
                "emerging.dev.conll": "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
                "emerging.test.annotated": "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
            },
        )
    )
    uner = {"val": "en_ewt-ud-dev.iob2", "test": "en_ewt-ud-test.iob2"}
    texts.append(
        PublicText(
            DatasetInfo(
                "uner-ewt",
                "Universal NER, English web, dev and test",
                "CC BY-SA 4.0",
                "github.com/UniversalNER/UNER_English-EWT",
            ),
            "uner_ewt",
            tuple(uner.values()),
            _splits("uner-ewt", uner, token_column=1, tag_column=2, separator="\t"),
            _UNER,
            {
                "en_ewt-ud-dev.iob2": "0cafd881cf31d39897b6d588420fab8fbbe4423d271725c59921ac9dd49c0713",
                "en_ewt-ud-test.iob2": "821ad826d5f503ac03b4edc3fbc2174f21fbb005ec25863caf2051c434616d6e",
            },
        )
    )
    for language in ("en", "de", "es", "nl"):
        parts = {split: f"{split}.conllu" for split in ("train", "val", "test")}
        info = DatasetInfo(
            f"wikiann-{language}", "Wikipedia, silver labels, 3 types", "derived from Wikipedia", own
        )
        reader = _splits(info.name, parts, token_column=1, tag_column=2, separator="\t")
        texts.append(PublicText(info, f"wikiann/{language}", tuple(parts.values()), reader))
    for name, stem, year in (
        ("conll03-en", "eng", 3),
        ("conll03-de", "deu", 3),
        ("conll02-es", "esp", 2),
        ("conll02-nl", "ned", 2),
    ):
        parts = {"train": f"{stem}.train", "val": f"{stem}.testa", "test": f"{stem}.testb"}
        info = DatasetInfo(
            name, f"CoNLL-0{year} shared task, 4 types, in UTF-8", "by its owners, not redistributed", own
        )
        texts.append(PublicText(info, name, tuple(parts.values()), _splits(name, parts)))
    return texts


#: Public sets by name.
PUBLIC: dict[str, PublicText] = {text.info.name: text for text in _texts()}
