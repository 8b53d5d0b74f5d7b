"""The verbs that follow detect: a page to decide on, and a corrected copy of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import Domain
from labelnoise.core.files import all_or_nothing, check_output
from labelnoise.core.issues import IssueTable
from labelnoise.core.terminal import path_text, say
from labelnoise.core.validation import InputError, choose

__all__ = ["ReviewVerbs", "check_hash", "input_files"]

DataOption = Annotated[
    str | None, Parameter(help="The data set that was judged; by default the one that the file names.")
]
DataRoot = Annotated[
    Path | None,
    Parameter(help="Folder with this modality's data sets. Default: $LABELNOISE_DATA, then the cache."),
]
AsJson = Annotated[bool, Parameter(name="--json", help="Print one JSON object instead of text.")]


class ReviewVerbs:
    """review and apply, for any modality."""

    domain: Domain

    def review(
        self,
        issues: Annotated[Path, Parameter(help="A table of issues, written by detect.")],
        /,
        *,
        data: DataOption = None,
        out: Path = Path("review.html"),
        limit: int = 1000,
        data_root: DataRoot = None,
        as_json: AsJson = False,
    ) -> None:
        """Write a page on which to accept, reject or change the suggested labels.

        Parameters
        ----------
        out
            The page, .html: one file, no server, no network.
        limit
            Largest number of decisions on it; those that are expected to put most labels right come first.
        """
        if limit < 1:
            raise InputError(f"--limit is {limit}; give the number of issues to show, 1 or more.")
        table = IssueTable.load(issues)
        self._check_domain(table.header.domain, issues, "review")
        check_output(out, extensions=(".html", ".htm"), inputs=[issues], what="--out")
        dataset = self._judged(data, table.header.dataset, table.header.source, data_root)
        check_hash(dataset, data, table.header.dataset, table.header.data_hash, issues)
        from labelnoise.core.review.entries import entries_of
        from labelnoise.core.review.page import write_page

        entries = entries_of(table, self.domain.review_groups(dataset, table))
        shown = entries.head(limit)
        write_page(shown, self.domain.entry_cards(dataset, table, shown), out)
        if as_json:
            from labelnoise.core._verbs_show import print_json

            told = {
                "shown": len(shown),
                "issues": len(entries),
                "units": shown.n_units,
                "written": [str(out)],
            }
            print_json(told)
            return
        left = f" of {len(entries):,}" if len(shown) < len(entries) else ""
        about = f" about {shown.n_units:,} {table.header.unit_name}s" if shown.n_units > len(shown) else ""
        say(
            f"written: {path_text(out)} with {len(shown):,}{left} issues{about}; open it in a browser, export with the key e"
        )
        source = Path(table.header.source or ".")
        takes = source.is_file() and source.suffix not in self.domain.not_for_decisions
        ending = source.suffix if takes else ""
        say(f"next: labelnoise {self.domain.name} apply decisions.json --out corrected{ending}")

    def apply(
        self,
        decisions: Annotated[
            Path, Parameter(help="decisions.json of the review page; with --undo a .provenance.json.")
        ],
        /,
        *,
        data: DataOption = None,
        out: Path | None = None,
        undo: bool = False,
        decisions_from: str = "page",
        data_root: DataRoot = None,
        as_json: AsJson = False,
    ) -> None:
        """Write a corrected copy of the data, with a record that takes the changes back.

        Parameters
        ----------
        out
            The copy; its ending chooses the format. The data that were reviewed stay as they are.
        undo
            Take back what an earlier apply did.
        decisions_from
            page, or label-studio: the JSON export of a project whose tasks export wrote.
        """
        from labelnoise.core.review.apply import (
            Provenance,
            apply_decisions,
            as_written,
            provenance_path,
            summary,
            undo_decisions,
        )
        from labelnoise.core.review.decisions import Decisions
        from labelnoise.core.review.imports import LabelStudioReview

        choose(decisions_from, ("page", "label-studio"), "origin of decisions")
        if undo and decisions_from != "page":
            raise InputError(
                "--undo takes a .provenance.json, wherever decisions came from; drop --decisions-from."
            )
        if out is None:
            raise InputError("--out is missing; name the file for the copy, the original stays as it is.")
        if undo:
            record = Provenance.load(decisions)
            self._check_domain(record.domain, decisions, "apply")
            beside = decisions.with_name(decisions.name.removesuffix(".provenance.json"))
            source = data or str(beside)
            dataset = self._load(source, data_root)
            check_output(out, inputs=input_files(source, decisions), what="--out")
            restored = undo_decisions(dataset, record)
            written = self.domain.save(restored, out)
            told: dict[str, Any] = {"undone": len(record.changes)}
        else:
            if decisions_from == "page":
                made = Decisions.load(decisions)
                self._check_domain(made.domain, decisions, "apply")
                dataset = self._judged(data, made.dataset, made.source, data_root)
            else:
                review = LabelStudioReview.load(decisions)
                self._check_domain(review.domain, decisions, "apply")
                dataset = self._judged(data, review.dataset, review.source, data_root)
                made = review.decisions(dataset, self.domain.read_marks)
            check_output(out, inputs=input_files(data or made.source, decisions), what="--out")
            corrected, record = apply_decisions(dataset, made, domain=self.domain.name)
            if not record.changes:
                raise InputError(
                    f"The {record.reviewed} decisions of {str(decisions)!r} change no label; there is nothing to write."
                )
            beside = provenance_path(out)
            # A copy without its record could not be undone, so neither stays without the other.
            with all_or_nothing():
                written = self.domain.save(corrected, out)
                record = as_written(record, dataset, self.domain.load(str(out)))
                record.save(beside)
            written = [*written, beside]
            told = summary(record)
        if as_json:
            from labelnoise.core._verbs_show import print_json

            print_json({**told, "written": [str(path) for path in written]})
            return
        if undo:
            say(f"{told['undone']:,} labels are what they were")
        else:
            say(f"{told['changed']:,} labels changed, {told['kept']:,} decisions kept theirs")
        say(f"written: {path_text(written)}")

    def _judged(self, data: str | None, name: str, source: str, root: Path | None) -> Dataset:
        """The data set that a file is about: as asked for, else by its path, else by its name."""
        if data is not None:
            return self._load(data, root)
        # A file may be named like a public data set, so where it came from is asked first.
        if source and Path(source).exists():
            return self._load(source, root)
        if name in self.domain.datasets():
            return self._load(name, root)
        raise InputError(f"The data set {name!r} is a file of yours; name it with --data.")

    def _check_domain(self, about: str, path: Path, verb: str) -> None:
        if about not in ("", self.domain.name):
            raise InputError(f"{str(path)!r} is about {about} data; use 'labelnoise {about} {verb}'.")

    def _load(self, source: str | None, root: Path | None) -> Dataset:
        raise NotImplementedError


def check_hash(dataset: Dataset, called: str | None, name: str, wanted: str, path: Path) -> None:
    """Refuse data that are not what a file judges; ``called`` is what the user called them."""
    found = dataset.content_hash()
    if found != wanted:
        raise InputError(
            f"{str(path)!r} judges {name!r} (content {wanted[:8]}) and {called or dataset.name!r} is other data "
            f"(content {found[:8]}); pass the file that detect was given with --data."
        )


def input_files(source: str, *paths: Path) -> list[Path]:
    """What a verb read and must not overwrite."""
    return [*paths, *([Path(source)] if source and Path(source).exists() else [])]
