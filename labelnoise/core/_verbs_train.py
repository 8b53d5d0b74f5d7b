"""The verb train: a model that survives the wrong labels, and its predictions for every unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import Domain
from labelnoise.core.files import check_output
from labelnoise.core.issues import EXTENSIONS
from labelnoise.core.options import parse_options
from labelnoise.core.terminal import path_text, say
from labelnoise.core.truth import blind
from labelnoise.core.validation import InputError, choose

__all__ = ["TrainVerb"]


class TrainVerb:
    """train, for any modality that has trainers."""

    domain: Domain

    def train(
        self,
        source: Annotated[
            str | None,
            Parameter(help="A data set by name, or the path of your own; an embedded one by default."),
        ] = None,
        /,
        *,
        method: str | None = None,
        out: Path | None = None,
        settings: Annotated[
            tuple[str, ...],
            Parameter(name="--set", help="key=value: an option of the chosen method; repeatable."),
        ] = (),
        seed: Annotated[
            int, Parameter(help="Draws everything that is random; the same seed gives the same result.")
        ] = 0,
        data_root: Annotated[
            Path | None,
            Parameter(
                help="Folder with this modality's data sets. Default: $LABELNOISE_DATA, then the cache."
            ),
        ] = None,
        as_json: Annotated[
            bool, Parameter(name="--json", help="Print one JSON object instead of text.")
        ] = False,
    ) -> None:
        """Train a model on the labels as they are, so that wrong ones do little harm.

        Parameters
        ----------
        source
            A data set by name, or the path of your own.
        method
            The trainer.
        out
            File for the predictions of all units: .parquet, .csv or .jsonl.
        """
        domain = self.domain
        method = choose(method or domain.default_trainer, domain.trainers, domain.trainers.what)
        options = parse_options(settings, domain.trainers[method], positional=2, what="method")
        if seed < 0:
            raise InputError(f"--seed is {seed}; give a whole number from 0.")
        if out is not None:
            inputs = [Path(source)] if source and Path(source).exists() else []
            check_output(out, extensions=EXTENSIONS, inputs=inputs, what="--out")
        dataset = self._load(source, data_root)
        if not dataset.labelled.any():
            raise InputError(f"{dataset.name} has no labelled {domain.unit}; there is nothing to learn from.")
        seen = dataset if domain.trainers[method].sees_truth else blind(dataset)
        trained = domain.train(seen, method=method, seed=seed, **options)
        scores = domain.training_scores(dataset, trained)
        disagree = int((dataset.labelled & (trained.predicted != dataset.given)).sum())
        if out is not None:
            from labelnoise.core.trained import save_predictions

            save_predictions(trained, dataset, out)
        written = [] if out is None else [str(out)]
        if as_json:
            from labelnoise.core._verbs_show import print_json

            print_json(
                {
                    "dataset": dataset.name,
                    "method": method,
                    "seed": seed,
                    "options": options,
                    "selected_by": trained.selected_by,
                    "chosen": trained.chosen,
                    "disagreements": disagree,
                    "scores": scores,
                    "warnings": list(trained.warnings),
                    "history": [dict(entry) for entry in trained.history],
                    "written": written,
                }
            )
            return
        self._show(dataset, trained, method, disagree, scores, written)

    def _show(
        self,
        dataset: Dataset,
        trained: Any,
        method: str,
        disagree: int,
        scores: list[dict[str, Any]],
        written: list[str],
    ) -> None:
        from labelnoise.core._verbs_show import print_grid

        say(
            f"{method} on {dataset.name}: predicts another class for {disagree:,} of "
            f"{int(dataset.labelled.sum()):,} labelled {self.domain.unit}s; model chosen by {trained.selected_by}"
        )
        for sentence in trained.warnings:
            say(f"warning: {sentence}")
        if scores:
            say()
            measure = self.domain.training_measure(dataset)
            names = {"split": "split", "accuracy": "accuracy", measure: measure.replace("_", " ")}
            names |= {**self.domain.train_columns, "labels": "measured on", "units": "units"}
            cells = [tuple("-" if row.get(key) is None else row[key] for key in names) for row in scores]
            print_grid(list(names.values()), cells)
        if written:
            say(f"\nwritten: {path_text(written)}")

    def _load(self, source: str | None, root: Path | None) -> Dataset:
        raise NotImplementedError
