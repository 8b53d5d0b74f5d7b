"""The verb that hands label issues to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from labelnoise.core._verbs_review import AsJson, DataOption, DataRoot, ReviewVerbs, check_hash, input_files
from labelnoise.core.files import check_output
from labelnoise.core.issues import IssueTable
from labelnoise.core.terminal import path_text, say
from labelnoise.core.validation import InputError, choose

__all__ = ["ExportVerb"]


class ExportVerb(ReviewVerbs):
    """export, for any modality."""

    def export(
        self,
        issues: Annotated[Path, Parameter(help="A table of issues, written by detect.")],
        /,
        *,
        to: str | None = None,
        data: DataOption = None,
        out: Path | None = None,
        data_root: DataRoot = None,
        as_json: AsJson = False,
    ) -> None:
        """Hand the issues to Label Studio, FiftyOne or tools that read COCO, with given and suggested labels.

        Parameters
        ----------
        to
            label-studio (tasks, and the labelling interface beside them), fiftyone (sound and pictures), or coco
            (objects in images, with the suggested categories).
        out
            The file, .json. Sounds and pictures that are no files yet are written beside it.
        """
        from labelnoise.core.review.exports import TARGETS, export_samples
        from labelnoise.core.review.samples import Suggestions

        if to is None:
            raise InputError(f"--to is missing; choose one of: {', '.join(TARGETS)}.")
        choose(to, TARGETS, "target")
        if out is None:
            raise InputError("--out is missing; name the .json file to write.")
        table = IssueTable.load(issues)
        self._check_domain(table.header.domain, issues, "export")
        check_output(out, extensions=(".json",), inputs=[issues], what="--out")
        dataset = self._judged(data, table.header.dataset, table.header.source, data_root)
        check_hash(dataset, data, table.header.dataset, table.header.data_hash, issues)
        check_output(out, inputs=input_files(data or table.header.source, issues), what="--out")
        found = self.domain.export_samples(dataset, Suggestions.of(table, dataset))
        made = export_samples(found, table.header, to=to, out=out)
        if as_json:
            from labelnoise.core._verbs_show import print_json

            print_json(
                {
                    "samples": made.samples,
                    "issues": len(table),
                    "written": [str(path) for path in made.written],
                }
            )
            return
        say(f"written: {path_text(made.written)} with {made.samples:,} items")
        say(f"next: {made.hint}")
        if to == "label-studio" and found.kind != "image":
            say(
                f"then: export the project as JSON and labelnoise {self.domain.name} apply EXPORT.json "
                "--decisions-from label-studio --out corrected"
            )
