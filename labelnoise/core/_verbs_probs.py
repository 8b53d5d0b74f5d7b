"""The verb detect of modalities that judge labels by the probabilities of any model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from labelnoise.core.choice import Choice
from labelnoise.core.options import allowed_options
from labelnoise.core.validation import InputError, choose
from labelnoise.core.verbs import AsJson, DataRoot, Seed, Settings, Source, Verbs

__all__ = ["ProbsVerbs"]


class ProbsVerbs(Verbs):
    """Verbs whose detect takes ``--probs``."""

    def detect(  # type: ignore[override]
        self,
        source: Source = None,
        /,
        *,
        method: str | None = None,
        probs: Annotated[
            Path | None,
            Parameter(help="Probabilities of any model, .npy: a row for each unit, a column for each class."),
        ] = None,
        choice: Choice | None = None,
        out: Path | None = None,
        all_units: bool = False,
        show: int = 20,
        settings: Settings = (),
        seed: Seed = 0,
        data_root: DataRoot = None,
        as_json: AsJson = False,
    ) -> None:
        """Find the labels that are probably wrong.

        Parameters
        ----------
        source
            A data set by name, or the path of your own.
        method
            The detector.
        out
            File for the table of issues: .parquet, .csv or .jsonl.
        all_units
            List every labelled unit in the table, not only the flagged ones.
        show
            Number of rows to print.
        """
        if probs is not None:
            domain = self.domain
            method = choose(method or domain.probs_detector, domain.detectors, domain.detectors.what)
            if "probs" not in allowed_options(domain.detectors[method], positional=2):
                raise InputError(
                    f"The method {method!r} takes no --probs; use --method {domain.probs_detector}, or leave them out."
                )
            settings = (*settings, f"probs={probs}")
        super().detect(
            source,
            method=method,
            choice=choice,
            out=out,
            all_units=all_units,
            show=show,
            settings=settings,
            seed=seed,
            data_root=data_root,
            as_json=as_json,
        )
