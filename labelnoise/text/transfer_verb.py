"""The verb transfer: tags of one language carried to the text of another, and written into it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from labelnoise.core.files import check_folder, check_output
from labelnoise.core.options import parse_options
from labelnoise.core.terminal import path_text, say
from labelnoise.core.validation import InputError, choose
from labelnoise.core.verbs import AsJson, DataRoot, Seed, Settings

__all__ = ["transfer_verb"]


def transfer_verb(
    source: Annotated[str, Parameter(help="Tagged text: a data set by name, or the path of your own.")],
    target: Annotated[
        str,
        Parameter(help="Text in the other language, by name or path; its tags, if any, are not learnt from."),
    ],
    /,
    *,
    method: Annotated[str, Parameter(help="two-views, colada or direct.")] = "two-views",
    encoder: Annotated[
        str | None,
        Parameter(
            help="A multilingual Hugging Face encoder: a folder or a hub's name. Without: shared words."
        ),
    ] = None,
    translated: Annotated[
        str | None, Parameter(help="The source in the target's language, with tags carried over; for colada.")
    ] = None,
    truth: Annotated[str | None, Parameter(help="The target with right tags, to score against.")] = None,
    out: Annotated[
        Path | None,
        Parameter(
            help="File for the tagged target (a folder, if the target is one); its ending says the format."
        ),
    ] = None,
    settings: Settings = (),
    seed: Seed = 0,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Carry the tags of one language to text in another."""
    from labelnoise.core.domain import data_root as usual_root
    from labelnoise.text.data import load_text
    from labelnoise.text.files import write_text
    from labelnoise.text.transfer import TRANSFERS, tagged, transfer, transfer_scores, truth_of
    from labelnoise.text.untagged import load_untagged

    choose(method, TRANSFERS, TRANSFERS.what)
    options = parse_options(settings, TRANSFERS[method], positional=5, what="method")
    if seed < 0:
        raise InputError(f"--seed is {seed}; give a whole number from 0.")
    if data_root is not None and not data_root.is_dir():
        raise InputError(
            f"--data-root {str(data_root)!r} is not a folder; name the one that holds the data sets."
        )
    root = data_root or usual_root("text")
    inputs = [Path(name) for name in (source, target, translated, truth) if name and Path(name).exists()]
    into_folder = Path(target).is_dir()
    if out is not None and into_folder:
        check_folder(out, what="--out")
        if any(out.resolve() == path.resolve() for path in inputs):
            raise InputError(f"--out {str(out)!r} is an input; choose another name.")
    elif out is not None:
        check_output(out, inputs=inputs, what="--out")
    taught, text = load_text(source, root=root), load_untagged(target, root=root)
    carried = None if translated is None else load_text(translated, root=root)
    known = truth_of(text, None if truth is None else load_text(truth, root=root))
    if out is not None:
        # What the format cannot hold is said now, not after the work.
        with tempfile.TemporaryDirectory() as folder:
            write_text(text, Path(folder) / out.name)
    made = transfer(taught, text, translated=carried, method=method, encoder=encoder, seed=seed, **options)
    found = tagged(text, made.predicted, taught.types)
    counts = _counts(found)
    scores: dict[str, Any] = {}
    if known is not None:
        scores["all"] = transfer_scores(found, known[0])
        for split, mask in text.masks.items():
            scores[split] = transfer_scores(found, known[0], mask)
    written = write_text(found, out) if out is not None else []
    if as_json:
        from labelnoise.core._verbs_show import print_json

        print_json(
            {
                "source": taught.name,
                "target": text.name,
                "method": method,
                "encoder": encoder,
                "seed": seed,
                "options": options,
                "selected_by": made.selected_by,
                "entities": counts,
                "scored_on": None if known is None else known[1],
                "scores": scores,
                "warnings": list(made.warnings),
                "history": [dict(entry) for entry in made.history],
                "written": [str(path) for path in written],
            }
        )
        return
    say(
        f"{method} from {taught.name} to {text.name}: {sum(counts.values()):,} entities in {text.n_units:,} tokens; "
        f"model chosen by {made.selected_by}"
    )
    for sentence in made.warnings:
        say(f"warning: {sentence}")
    say()
    _show(counts, None if known is None else known[1], scores)
    if written:
        say(f"\nwritten: {path_text(written)}")


def _counts(found: Any) -> dict[str, int]:
    """Entities by type."""
    import numpy as np

    spans = found.spans()
    numbers = np.bincount(spans["type"], minlength=len(found.types))
    return {name: int(number) for name, number in zip(found.types, numbers)}


def _show(counts: dict[str, int], told: str | None, scores: dict[str, Any]) -> None:
    from labelnoise.core._verbs_show import print_grid

    if told is None:
        print_grid(["type", "entities"], list(counts.items()))
        return
    keys = ("predicted", "entities", "precision", "recall", "f1")
    rows = scores["all"]
    cells = [(kind, *(_rounded(row[key]) for key in keys)) for kind, row in rows.items() if kind != "all"]
    cells.append(("all", *(_rounded(rows["all"][key]) for key in keys)))
    print_grid(["type", "entities", f"{told} ones", "precision", "recall", "F1"], cells)
    for split, by_type in scores.items():
        if split != "all":
            say(f"F1 in the split {split}: {by_type['all']['f1']:.4f}")


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(value, 4)
