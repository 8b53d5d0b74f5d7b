"""What the tools of others are told of a data set: its items, with given and suggested labels as marks on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.dataset import Dataset
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.cards import Card
from labelnoise.core.validation import InputError

__all__ = ["Mark", "MediaFile", "Sample", "SampleSet", "Suggestions", "class_samples"]

#: A polygon: its corners as (x, y), in pixels from the upper left corner of the image.
Ring = Sequence[tuple[float, float]]
Kind = Literal["card", "text", "audio", "image"]


@dataclass(frozen=True)
class Suggestions:
    """The flagged rows of a table of issues, as numbers of the data set.

    Attributes
    ----------
    units : ndarray of int64, shape (r,)
        Rows of the data set, ascending.
    suggested : ndarray of int64, shape (r,)
        Class ids, -1 for "no opinion".
    doubt : ndarray of float64, shape (r,)
        Probability that the given label is wrong; 1 - quality where the method is not calibrated.
    confidence : ndarray of float64, shape (r,)
        How sure the suggestion is, 0 to 1.

    Examples
    --------
    >>> data = Dataset(name="d", given=np.array([0, 1]), class_names=("a", "b"))
    >>> found = Suggestions(np.array([1]), np.array([0]), np.array([0.75]), np.array([0.8]))
    >>> found.labels(data).tolist(), found.doubts(data).tolist()
    ([0, 0], [0.0, 0.75])
    """

    units: NDArray[np.int64]
    suggested: NDArray[np.int64]
    doubt: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @classmethod
    def of(cls, table: IssueTable, dataset: Dataset) -> Suggestions:
        """Look up the classes of a table in the data set that it judges.

        Raises
        ------
        InputError
            Rows or classes that the data set does not have.
        """
        place = {name: label for label, name in enumerate(dataset.class_names)}
        # A table of all units has suggestions for labels that the decision takes for right.
        flagged = table.columns["flagged"]
        units = table.columns["index"][flagged]
        if len(units) and (units.min() < 0 or units.max() >= dataset.n_units):
            raise InputError(
                f"The table names row {int(units.max())} and there are {dataset.n_units}; it was edited."
            )
        names = table.columns["suggested"][flagged].tolist()
        unknown = sorted({name for name in names if name and name not in place})
        if unknown:
            raise InputError(f"The table suggests the class {unknown[0]!r}, which is none of the data's.")
        suggested = np.array([place.get(name, -1) for name in names], dtype=np.int64)
        doubt = table.columns["p_wrong"] if "p_wrong" in table.columns else 1.0 - table.columns["quality"]
        doubt, sure = doubt[flagged], table.columns["confidence"][flagged]
        order = np.argsort(units, kind="stable")
        return cls(
            units[order], suggested[order], np.clip(doubt[order], 0.0, 1.0), np.clip(sure[order], 0.0, 1.0)
        )

    def labels(self, dataset: Dataset) -> NDArray[Any]:
        """The given labels with every suggestion in its place, shape (n,)."""
        made = dataset.given.copy()
        some = self.suggested >= 0
        made[self.units[some]] = self.suggested[some]
        return made

    def groups(self, group_of: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Each item that has issues, and which rows of this are about it; ``group_of`` is the item of each row."""
        for group in np.unique(group_of).tolist():
            yield group, np.flatnonzero(group_of == group)

    def doubts(self, dataset: Dataset) -> NDArray[np.float32]:
        """The doubt of every unit, 0 where nothing is listed, shape (n,)."""
        made = np.zeros(dataset.n_units, dtype=np.float32)
        made[self.units] = self.doubt
        return made


@dataclass(frozen=True)
class Mark:
    """A label of an item: of all of it, of some of its characters, or of a region of its picture.

    Attributes
    ----------
    label : str
    score : float, optional
        For suggestions: how sure they are, 0 to 1.
    doubt : float, optional
        For given labels: the probability that they are wrong.
    span : tuple of int, optional
        First character and the one after the last.
    rings : sequence of polygons, optional
        Outlines in pixels, for tools that draw.
    box : tuple of int, optional
        Left, top, width and height in pixels.
    area : int
        Pixels.
    run_lengths : dict, optional
        The region as COCO writes it.
    crowd : bool
        A region of many objects, marked as one.
    """

    label: str
    score: float | None = None
    doubt: float | None = None
    span: tuple[int, int] | None = None
    rings: Sequence[Ring] = ()
    box: tuple[int, int, int, int] | None = None
    area: int = 0
    run_lengths: dict[str, Any] | None = None
    crowd: bool = False


@dataclass(frozen=True)
class MediaFile:
    """A picture or a sound: a file of the user's, or one that can be made.

    Attributes
    ----------
    path : Path, optional
        Where the file lies.
    ending : str
        Of the file that is made where there is none.
    content : callable, optional
        Its bytes.
    """

    path: Path | None = None
    ending: str = ""
    content: Callable[[], bytes] | None = None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One item with its marks, whichever modality it is from.

    Attributes
    ----------
    name : str
        How the user calls it.
    kind : {"card", "text", "audio", "image"}
        What a person looks at, or hears.
    units : sequence of int
        The rows of the table of issues that are about it.
    given, suggested : sequence of Mark
    doubt : float
        The largest doubt of its units, 0 to 1.
    text : str
        Of kind "text".
    card : Card, optional
        Of kind "card".
    media : MediaFile, optional
        Of kinds "audio" and "image".
    size : tuple of int, optional
        Height and width of the image.
    several : bool
        Whether it may carry several labels at once.
    """

    name: str
    kind: Kind
    units: Sequence[int]
    given: Sequence[Mark]
    suggested: Sequence[Mark]
    doubt: float
    text: str = ""
    card: Card | None = None
    media: MediaFile | None = None
    size: tuple[int, int] | None = None
    several: bool = False


@dataclass(frozen=True)
class SampleSet:
    """All items of a data set that have issues.

    Attributes
    ----------
    kind : str
        Of its samples.
    classes : tuple of str
        Labels that a person may choose.
    samples : sequence of Sample
    """

    kind: Kind
    classes: tuple[str, ...]
    samples: Sequence[Sample]


def class_samples(
    dataset: Dataset,
    found: Suggestions,
    *,
    kind: Kind,
    cards: Sequence[Card] | None = None,
    media: Callable[[int], MediaFile] | None = None,
) -> SampleSet:
    """One sample per listed unit, where every unit is an item with one class.

    Examples
    --------
    >>> data = Dataset(name="d", given=np.array([0, 1]), class_names=("a", "b"))
    >>> found = Suggestions(np.array([1]), np.array([0]), np.array([0.9]), np.array([0.8]))
    >>> sample = class_samples(data, found, kind="card", cards=[Card("one")]).samples[0]
    >>> sample.given[0].label, sample.suggested[0].label, sample.suggested[0].score
    ('b', 'a', 0.8)
    """
    names = dataset.class_names
    samples = []
    for row, unit in enumerate(found.units.tolist()):
        given, suggested = int(dataset.given[unit]), int(found.suggested[row])
        doubt = float(found.doubt[row])
        samples.append(
            Sample(
                name=str(dataset.ids[unit]),
                kind=kind,
                units=(unit,),
                given=(Mark(names[given], doubt=doubt),) if given >= 0 else (),
                suggested=(Mark(names[suggested], score=float(found.confidence[row])),)
                if suggested >= 0
                else (),
                doubt=doubt,
                card=None if cards is None else cards[row],
                media=None if media is None else media(unit),
            )
        )
    return SampleSet(kind, tuple(names), samples)
