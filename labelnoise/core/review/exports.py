"""Label issues for other tools: tasks of Label Studio, samples of FiftyOne, COCO annotations."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from labelnoise.core.files import all_or_nothing, make_folder, replacing
from labelnoise.core.issues import IssueHeader
from labelnoise.core.review.cards import printable
from labelnoise.core.review.samples import Mark, MediaFile, Sample, SampleSet
from labelnoise.core.validation import InputError, choose

__all__ = ["TARGETS", "Export", "Target", "export_samples", "label_studio_config"]


@dataclass(frozen=True)
class Target:
    """A tool that samples can be written for.

    Attributes
    ----------
    title : str
    kinds : tuple of str
        Kinds of samples that it can show.
    make : callable
        ``make(samples, header, classes, folder) -> JSON-able``, for samples whose media are files; ``folder`` is
        where the result will lie.
    needs : str
        Why samples of other kinds make no sense there.
    """

    title: str
    kinds: tuple[str, ...]
    make: Callable[[Sequence[Sample], IssueHeader, Sequence[str], Path], Any]
    needs: str


@dataclass(frozen=True)
class Export:
    """What `export_samples` wrote.

    Attributes
    ----------
    written : tuple of Path
    samples : int
    hint : str
        How the tool takes it.
    """

    written: tuple[Path, ...]
    samples: int
    hint: str


def export_samples(found: SampleSet, header: IssueHeader, *, to: str, out: Path) -> Export:
    """Write samples for a tool.

    Media that are no files yet are written into the folder ``<out without ending>-media`` first, the JSON last.

    Parameters
    ----------
    found : SampleSet
    header : IssueHeader
        Of the table of issues.
    to : str
        A key of `TARGETS`.
    out : Path

    Raises
    ------
    InputError
        Samples that the tool cannot show.
    """
    target = TARGETS[choose(to, TARGETS, "target")]
    if found.kind not in target.kinds:
        possible = [name for name, other in TARGETS.items() if found.kind in other.kinds]
        raise InputError(
            f"{target.needs}, and {header.dataset!r} has {header.unit_name}s without any; "
            f"possible here: --to {' or '.join(possible)}."
        )
    if not found.samples:
        raise InputError("The table flags no label; there is nothing to export.")
    folder, interface = out.with_name(out.stem + "-media"), out.with_name(out.stem + ".config.xml")
    if out.exists() and '"labelnoise' not in out.read_text(encoding="utf-8", errors="replace"):
        raise InputError(f"--out {str(out)!r} exists and is no export of labelnoise; choose another name.")
    for beside in (folder, interface):
        if beside.exists() and not out.exists():
            raise InputError(f"{str(beside)!r}, which goes with it, exists already; choose another --out.")
    with all_or_nothing():
        placed, written = _with_files(sorted(found.samples, key=lambda sample: -sample.doubt), folder)
        content = target.make(placed, header, found.classes, out.parent)
        if to == "label-studio":
            with replacing(interface) as temporary:
                temporary.write_text(label_studio_config(placed[0], found.classes), encoding="utf-8")
            written.append(interface)
        with replacing(out) as temporary:
            temporary.write_text(
                json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8"
            )
    return Export((out, *written), len(placed), _hint(to, placed, out))


def _hint(to: str, samples: Sequence[Sample], out: Path) -> str:
    if to == "fiftyone":
        return f"open it with fiftyone.Dataset.from_json({str(out)!r})"
    if to == "coco":
        return "load it with pycocotools.coco.COCO; score is how sure the suggested category is"
    hint = f"paste {out.stem}.config.xml as the labelling interface, then import {out.name}"
    root = _root(samples)
    if root is not None:
        hint += (
            "; start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
            f"LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={shlex.quote(str(root))}, and add the media's folder as local storage"
        )
    return hint


# ------------------------------------------------------------------------------------------------ files


def _with_files(samples: Sequence[Sample], folder: Path) -> tuple[list[Sample], list[Path]]:
    """The samples with a file for each medium, and what had to be written for that."""
    placed, made = [], False
    for place, sample in enumerate(samples):
        media = sample.media
        if media is None or media.path is not None:
            placed.append(sample if media is None else replace(sample, media=_absolute(media)))
            continue
        assert media.content is not None
        make_folder(folder)
        made = True
        # Numbers, since names of the data may be no names of files.
        path = folder / f"{place + 1:05d}{media.ending}"
        with replacing(path) as temporary:
            temporary.write_bytes(media.content())
        placed.append(replace(sample, media=_absolute(MediaFile(path))))
    return placed, [folder] if made else []


def _absolute(media: MediaFile) -> MediaFile:
    assert media.path is not None
    return MediaFile(Path(os.path.abspath(media.path)))


def _root(samples: Sequence[Sample]) -> Path | None:
    """The folder above the one that holds all media: Label Studio serves folders in its root, not the root."""
    folders = {str(sample.media.path.parent) for sample in samples if sample.media and sample.media.path}
    return Path(os.path.commonpath(sorted(folders))).parent if folders else None


# ------------------------------------------------------------------------------------------ Label Studio

#: The object of each kind of sample in a labelling interface: element, key of its data.
_OBJECTS = {
    "card": ("HyperText", "html"),
    "text": ("Text", "text"),
    "audio": ("Audio", "audio"),
    "image": ("Image", "image"),
}


def label_studio_config(sample: Sample, classes: Sequence[str]) -> str:
    """The labelling interface that fits the tasks of samples like this one.

    Examples
    --------
    >>> sample = Sample(name="a", kind="text", units=(), given=(Mark("X", span=(0, 1)),), suggested=(), doubt=0.5)
    >>> print(label_studio_config(sample, ['<b>"']))
    <View>
      <Text name="unit" value="$text"/>
      <Labels name="label" toName="unit">
        <Label value='&lt;b&gt;"'/>
      </Labels>
    </View>
    <BLANKLINE>
    """
    element, key = _OBJECTS[sample.kind]
    control, item, more = {
        "text": ("Labels", "Label", ""),
        "image": ("PolygonLabels", "Label", ""),
    }.get(sample.kind, ("Choices", "Choice", f' choice="{"multiple" if sample.several else "single"}"'))
    lines = [f'  <{element} name="unit" value="${key}"/>', f'  <{control} name="label" toName="unit"{more}>']
    lines += [f"    <{item} value={quoteattr(printable(name))}/>" for name in classes]
    return "\n".join(["<View>", *lines, f"  </{control}>", "</View>", ""])


def _label_studio(
    samples: Sequence[Sample], header: IssueHeader, classes: Sequence[str], folder: Path
) -> Any:
    root = _root(samples)
    tasks = []
    for number, sample in enumerate(samples, start=1):
        task: dict[str, Any] = {
            "id": number,
            "data": {
                _OBJECTS[sample.kind][1]: _shown(sample, root),
                "name": sample.name,
                "doubt": _round(sample.doubt),
            },
            "meta": {
                "labelnoise": {
                    "domain": header.domain,
                    "dataset": header.dataset,
                    "data_hash": header.data_hash,
                    "method": header.method,
                    "source": header.source,
                    "units": list(map(int, sample.units)),
                }
            },
            "annotations": [{"result": _results(sample, sample.given)}],
            "predictions": [
                {
                    "model_version": f"labelnoise {header.method}",
                    "score": _round(sample.doubt),
                    "result": _results(sample, sample.suggested),
                }
            ],
        }
        tasks.append(task)
    return tasks


def _shown(sample: Sample, root: Path | None) -> str:
    if sample.kind == "text":
        return sample.text
    if sample.kind == "card":
        assert sample.card is not None
        rows = "".join(
            f"<dt>{escape(printable(str(name)))}</dt><dd>{escape(printable(str(value)))}</dd>"
            for name, value in sample.card.facts
        )
        return f"<h3>{escape(printable(sample.card.title))}</h3><dl>{rows}</dl>"
    assert sample.media is not None
    assert sample.media.path is not None
    assert root is not None
    return "/data/local-files/?d=" + quote(sample.media.path.relative_to(root).as_posix())


def _results(sample: Sample, marks: Sequence[Mark]) -> list[dict[str, Any]]:
    named = {"from_name": "label", "to_name": "unit"}
    if sample.kind in ("card", "audio"):
        labels = [printable(mark.label) for mark in marks]
        if not labels:
            return []
        result: dict[str, Any] = {"id": "label", **named, "type": "choices", "value": {"choices": labels}}
        scores = [mark.score for mark in marks if mark.score is not None]
        return [{**result, "score": _round(min(scores))} if scores else result]
    results = []
    for place, mark in enumerate(marks):
        label = [printable(mark.label)]
        more = {} if mark.score is None else {"score": _round(mark.score)}
        if mark.span is not None:
            start, end = mark.span
            value = {"start": start, "end": end, "text": sample.text[start:end], "labels": label}
            results.append({"id": f"r{place}", **named, "type": "labels", "value": value, **more})
        assert mark.span is not None or sample.size is not None
        for part, ring in enumerate(mark.rings):
            assert sample.size is not None
            height, width = sample.size
            points = [[round(100 * x / width, 4), round(100 * y / height, 4)] for x, y in ring]
            size = {"original_width": width, "original_height": height, "image_rotation": 0}
            value = {"points": points, "closed": True, "polygonlabels": label}
            results.append(
                {"id": f"r{place}-{part}", **named, **size, "type": "polygonlabels", "value": value, **more}
            )
    return results


# ---------------------------------------------------------------------------------------------- FiftyOne

_LABEL_FIELD = "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.labels.{})"


def _fiftyone(samples: Sequence[Sample], header: IssueHeader, classes: Sequence[str], folder: Path) -> Any:
    """What ``fiftyone.Dataset.from_json`` reads: fields of samples by type, and samples as they store them."""
    kind = "Polylines" if any(s.kind == "image" for s in samples) else "Classifications"
    if kind == "Classifications" and not any(sample.several for sample in samples):
        kind = "Classification"
    rows = []
    for sample in samples:
        assert sample.media is not None
        wrong = [mark.label for mark in sample.suggested if mark not in sample.given]
        rows.append(
            {
                "filepath": str(sample.media.path),
                "tags": ["labelnoise", *(["several-suggestions"] if len(wrong) > 1 else [])],
                "metadata": None,
                "unit": sample.name,
                "ground_truth": _fiftyone_label(kind, sample, sample.given),
                "suggested": _fiftyone_label(kind, sample, sample.suggested),
                "mistakenness": _round(sample.doubt),
            }
        )
    return {
        "name": f"labelnoise-{header.dataset}",
        **({"media_type": "image"} if kind == "Polylines" else {}),
        "num_samples": len(rows),
        "tags": [],
        "info": {"labelnoise": {"method": header.method, "data_hash": header.data_hash}},
        "classes": {"ground_truth": list(classes), "suggested": list(classes)},
        "sample_fields": {
            "filepath": "fiftyone.core.fields.StringField",
            "tags": "fiftyone.core.fields.ListField(fiftyone.core.fields.StringField)",
            "metadata": "fiftyone.core.fields.EmbeddedDocumentField(fiftyone.core.metadata.Metadata)",
            "unit": "fiftyone.core.fields.StringField",
            "ground_truth": _LABEL_FIELD.format(kind),
            "suggested": _LABEL_FIELD.format(kind),
            "mistakenness": "fiftyone.core.fields.FloatField",
        },
        "samples": rows,
    }


def _fiftyone_label(kind: str, sample: Sample, marks: Sequence[Mark]) -> Any:
    made = []
    for mark in marks:
        label: dict[str, Any] = {"_cls": kind.removesuffix("s"), "tags": [], "label": mark.label}
        if mark.score is not None:
            label["confidence"] = _round(mark.score)
        if mark.doubt is not None:
            label["mistakenness"] = _round(mark.doubt)
        if kind == "Polylines":
            assert sample.size is not None
            height, width = sample.size
            label["points"] = [[[x / width, y / height] for x, y in ring] for ring in mark.rings]
            label["closed"] = label["filled"] = True
        made.append(label)
    if kind == "Classification":
        return made[0] if made else None
    return {"_cls": kind, kind.lower(): made}


# -------------------------------------------------------------------------------------------------- COCO


def _coco(samples: Sequence[Sample], header: IssueHeader, classes: Sequence[str], folder: Path) -> Any:
    number = {name: place for place, name in enumerate(classes, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for place, sample in enumerate(samples, start=1):
        assert sample.size is not None
        height, width = sample.size
        assert sample.media is not None
        assert sample.media.path is not None
        file = Path(os.path.relpath(sample.media.path, folder)).as_posix()
        images.append({"id": place, "file_name": file, "height": height, "width": width})
        for mark in sample.suggested:
            if mark.box is None or not mark.area:
                continue
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": place,
                    "category_id": number[mark.label],
                    "segmentation": mark.run_lengths,
                    "bbox": list(mark.box),
                    "area": mark.area,
                    "iscrowd": int(mark.crowd),
                    "score": _round(1.0 if mark.score is None else mark.score),
                }
            )
    return {
        "info": {
            "description": f"{header.dataset}: suggested categories",
            "labelnoise": {"method": header.method, "data_hash": header.data_hash},
        },
        "images": images,
        "annotations": annotations,
        "categories": [{"id": place, "name": name} for name, place in number.items()],
    }


def _round(value: float) -> float:
    return round(float(value), 4)


TARGETS: Mapping[str, Target] = {
    "label-studio": Target("Label Studio", ("card", "text", "audio", "image"), _label_studio, ""),
    "fiftyone": Target("FiftyOne", ("audio", "image"), _fiftyone, "FiftyOne shows files"),
    "coco": Target("COCO", ("image",), _coco, "COCO holds objects in images"),
}
