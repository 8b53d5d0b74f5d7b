"""Tags and the entities they mean: BIO, IOB1, IOBES, BILOU and IO, in both directions, for all tokens at once.

Inside the package a tag is a number over ``("O", "B-X", "I-X", "B-Y", "I-Y", ...)``, so its entity type is
``(tag - 1) // 2`` and it begins an entity where ``tag`` is odd. Entities are read the lenient way of the CoNLL
shared tasks: a type that appears without its beginning starts an entity. Nothing is repaired unless asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import NO_LABEL, InputError, as_labels, choose

__all__ = [
    "SCHEMES",
    "SPAN",
    "bio_names",
    "convert",
    "decode",
    "encode",
    "entity_types",
    "invalid",
    "repair",
    "sniff_scheme",
    "spans_of",
    "tags_of",
]

#: Known tagging schemes; "BIO" is also called IOB2, "IOBES" also BIOES.
SCHEMES = ("BIO", "IOB1", "IOBES", "BILOU", "IO")

#: One entity: its sentence, its first token, the token after its last (rows of the data set), its type.
SPAN = np.dtype([("sentence", "<i8"), ("start", "<i8"), ("end", "<i8"), ("type", "<i8")])

#: How a file says that a token carries no label.
UNLABELLED = "_"
_TAG = re.compile(r"O|_|[BIESLU]-\S.*")
_O, _B, _I, _E, _S = range(5)
_CODE = {"B": _B, "I": _I, "E": _E, "L": _E, "S": _S, "U": _S}


def is_tag(text: str) -> bool:
    """Whether a text is a tag of any scheme, or "_" for none.

    Examples
    --------
    >>> [is_tag(text) for text in ("O", "B-PER", "U-LOC", "_", "PER", "B-")]
    [True, True, True, True, False, False]
    """
    return _TAG.fullmatch(text) is not None


def bio_names(types: Sequence[str]) -> tuple[str, ...]:
    """Names of all BIO tags over entity types, "O" first.

    Examples
    --------
    >>> bio_names(["LOC", "PER"])
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return ("O", *(f"{prefix}-{name}" for name in types for prefix in "BI"))


def entity_types(class_names: Sequence[str]) -> tuple[str, ...]:
    """The entity types of BIO tag names in the package's order.

    Raises
    ------
    InputError
        The names are not ``bio_names`` of any types.

    Examples
    --------
    >>> entity_types(("O", "B-LOC", "I-LOC"))
    ('LOC',)
    """
    types = tuple(name[2:] for name in class_names[1::2])
    if tuple(class_names) != bio_names(types) or len(set(types)) != len(types) or "" in types:
        raise InputError(
            f"class_names is {tuple(class_names)[:6]}; tags are named ('O', 'B-X', 'I-X', 'B-Y', ...): use bio_names(types)."
        )
    return types


def decode(
    tags: Sequence[str] | NDArray[Any], *, starts: NDArray[np.int64], types: Sequence[str] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Tags as a file writes them, in any scheme, as BIO tag ids.

    Ids follow the entities that the tags mean, except that a stray ``I-X`` of a file in BIO keeps its id
    (`repair` changes it if asked to).

    Parameters
    ----------
    tags : sequence of str, length n
        "O", "B-X" ..., "_" for "no label".
    starts : ndarray of int, shape (s + 1,)
        Where each sentence begins, and n at the end.
    types : sequence of str, optional
        Entity types; those that occur, sorted, by default.

    Returns
    -------
    ids : ndarray of int64, shape (n,)
        -1 for "no label".
    types : tuple of str

    Raises
    ------
    InputError
        A text that is no tag, or a type that is not in ``types``.

    Examples
    --------
    >>> decode(["B-LOC", "E-LOC", "S-PER", "O", "_"], starts=np.array([0, 5]))
    (array([ 1,  2,  3,  0, -1]), ('LOC', 'PER'))
    """
    code, kind, known, blank = _parts(tags, types)
    if not ((code == _E) | (code == _S)).any() and sniff_codes(code, kind, starts) == "BIO":
        ids = np.where(code == _O, 0, 1 + 2 * kind + (code == _I))
    else:
        begins = _begins(code, kind, starts)
        ids = np.where(kind < 0, 0, 1 + 2 * kind + ~begins)
    return np.where(blank, NO_LABEL, ids).astype(np.int64), known


def encode(
    ids: NDArray[np.int64], types: Sequence[str], *, starts: NDArray[np.int64], scheme: str = "BIO"
) -> NDArray[Any]:
    """BIO tag ids as texts of a scheme; -1 becomes "_".

    Parameters
    ----------
    ids : ndarray of int, shape (n,)
    types : sequence of str
    starts : ndarray of int, shape (s + 1,)
    scheme : str
        One of `SCHEMES`. "IO" cannot tell two neighbouring entities of one type apart.

    Returns
    -------
    ndarray of object, shape (n,)

    Examples
    --------
    >>> ids, starts = np.array([1, 2, 1, 0]), np.array([0, 4])
    >>> for scheme in SCHEMES:
    ...     print(scheme, *encode(ids, ["LOC"], starts=starts, scheme=scheme))
    BIO B-LOC I-LOC B-LOC O
    IOB1 I-LOC I-LOC B-LOC O
    IOBES B-LOC E-LOC S-LOC O
    BILOU B-LOC L-LOC U-LOC O
    IO I-LOC I-LOC I-LOC O
    """
    choose(scheme, SCHEMES, "tagging scheme")
    ids = as_labels(ids, n_classes=1 + 2 * len(types), name="tag ids")
    code, kind = _codes(ids)
    if scheme != "BIO":
        begins = _begins(code, kind, starts)
        ends = _ends(begins, kind, starts)
        inside = np.full(len(ids), _I)
        if scheme == "IOB1":
            inside[begins & (_previous(kind, starts) == kind)] = _B
        elif scheme in ("IOBES", "BILOU"):
            inside[begins], inside[ends], inside[begins & ends] = _B, _E, _S
        code = np.where(kind < 0, _O, inside)
    letters = "OBILU" if scheme == "BILOU" else "OBIES"
    names = np.array(
        ["O", *(f"{letter}-{name}" for name in types for letter in letters[1:]), UNLABELLED], object
    )
    index = np.where(kind < 0, 0, kind * 4 + code)
    return names[np.where(ids == NO_LABEL, len(names) - 1, index)]


def convert(tags: Sequence[str], target: str, *, starts: NDArray[np.int64] | None = None) -> NDArray[Any]:
    """Tags of any scheme as tags of another one.

    Parameters
    ----------
    tags : sequence of str, length n
    target : str
        One of `SCHEMES`.
    starts : ndarray of int, shape (s + 1,), optional
        One sentence by default.

    Examples
    --------
    >>> list(convert(["I-PER", "I-PER", "O", "I-LOC", "B-LOC"], "BIO"))
    ['B-PER', 'I-PER', 'O', 'B-LOC', 'B-LOC']
    """
    starts = np.array([0, len(tags)]) if starts is None else starts
    ids, types = decode(tags, starts=starts)
    code, kind = _codes(ids)
    canonical = np.where(kind < 0, ids, 1 + 2 * kind + ~_begins(code, kind, starts))
    return encode(canonical, types, starts=starts, scheme=target)


def sniff_scheme(tags: Sequence[str], *, starts: NDArray[np.int64]) -> str:
    """The scheme that tags are written in: the one they break least, "BIO" where several fit.

    Examples
    --------
    >>> sniff_scheme(["I-PER", "I-PER", "O"], starts=np.array([0, 3]))
    'IO'
    >>> sniff_scheme(["I-PER", "O", "I-LOC", "B-LOC"], starts=np.array([0, 4]))
    'IOB1'
    >>> sniff_scheme(["B-PER", "L-PER"], starts=np.array([0, 2]))
    'BILOU'
    """
    code, kind, _, _ = _parts(tags, None)
    if ((code == _E) | (code == _S)).any():
        return "BILOU" if any(str(tag)[:2] in ("L-", "U-") for tag in tags) else "IOBES"
    return sniff_codes(code, kind, starts)


def sniff_codes(code: NDArray[np.int64], kind: NDArray[np.int64], starts: NDArray[np.int64]) -> str:
    if not (code == _B).any():
        return "IO" if (code == _I).any() else "BIO"
    breaks = {scheme: _breaks(code, kind, starts, scheme).sum() for scheme in ("BIO", "IOB1")}
    return min(breaks, key=breaks.__getitem__)


def invalid(tags: Sequence[str], *, starts: NDArray[np.int64], scheme: str = "BIO") -> NDArray[np.int64]:
    """Rows of the tags that their scheme does not allow where they stand.

    Examples
    --------
    >>> invalid(["O", "I-PER", "B-LOC", "I-PER"], starts=np.array([0, 4]))
    array([1, 3])
    >>> invalid(["B-PER", "O", "S-LOC"], starts=np.array([0, 3]), scheme="IOBES")
    array([0])
    """
    choose(scheme, SCHEMES, "tagging scheme")
    code, kind, _, _ = _parts(tags, None)
    return np.flatnonzero(_breaks(code, kind, starts, scheme))


def repair(ids: NDArray[np.int64], *, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """BIO tag ids in which each ``I-X`` that begins an entity is ``B-X``; the entities stay what they were.

    Examples
    --------
    >>> repair(np.array([0, 2, 2, 4, -1, 2]), starts=np.array([0, 6]))
    array([ 0,  1,  2,  3, -1,  1])
    """
    ids = as_labels(ids, name="tag ids")
    code, kind = _codes(ids)
    return np.where(kind < 0, ids, 1 + 2 * kind + ~_begins(code, kind, starts))


def spans_of(ids: NDArray[np.int64], *, starts: NDArray[np.int64]) -> NDArray[Any]:
    """The entities that BIO tag ids mean; a token without a label belongs to none.

    Parameters
    ----------
    ids : ndarray of int, shape (n,)
    starts : ndarray of int, shape (s + 1,)

    Returns
    -------
    structured ndarray of `SPAN`
        In the order of the text. ``start`` and ``end`` (exclusive) are rows of ``ids``.

    Examples
    --------
    >>> spans_of(np.array([1, 2, 0, 3, 3]), starts=np.array([0, 4, 5])).tolist()
    [(0, 0, 2, 0), (0, 3, 4, 1), (1, 4, 5, 1)]
    """
    code, kind = _codes(as_labels(ids, name="tag ids"))
    begins = _begins(code, kind, starts)
    first = np.flatnonzero(begins)
    spans = np.empty(len(first), SPAN)
    spans["start"] = first
    spans["end"] = np.flatnonzero(_ends(begins, kind, starts)) + 1
    spans["type"] = kind[first]
    spans["sentence"] = np.searchsorted(starts, first, side="right") - 1
    return spans


def tags_of(spans: NDArray[Any], n: int, *, labelled: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """BIO tag ids of entities; the inverse of `spans_of`.

    Parameters
    ----------
    spans : structured ndarray with start, end, type
        They must not overlap.
    n : int
        Number of tokens.
    labelled : ndarray of bool, shape (n,), optional
        Tokens outside it get -1.

    Raises
    ------
    InputError
        Empty or overlapping spans, or spans outside the text.

    Examples
    --------
    >>> tags_of(spans_of(np.array([1, 2, 0, 3, 3]), starts=np.array([0, 4, 5])), 5)
    array([1, 2, 0, 3, 3])
    """
    spans = np.sort(spans, order="start")
    length = spans["end"] - spans["start"]
    if len(spans) and (spans["start"][0] < 0 or spans["end"].max() > n or length.min() < 1):
        raise InputError(f"A span is empty or lies outside the {n} tokens; give 0 <= start < end <= {n}.")
    over = np.flatnonzero(spans["end"][:-1] > spans["start"][1:])
    if len(over):
        raise InputError(
            f"Two spans overlap at token {int(spans['start'][over[0] + 1])}; BIO tags hold one entity per token."
        )
    ids = np.zeros(n, np.int64)
    rows = np.repeat(spans["start"] - np.cumsum(length) + length, length) + np.arange(length.sum())
    ids[rows] = 2 + 2 * np.repeat(spans["type"], length)
    ids[spans["start"]] -= 1
    if labelled is not None:
        ids[~labelled] = NO_LABEL
    return ids


def _parts(
    tags: Sequence[str] | NDArray[Any], types: Sequence[str] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...], NDArray[np.bool_]]:
    """Prefix code and type of each tag, the types, and which tokens have no label; each distinct tag parsed once."""
    distinct: dict[str, int] = {}
    which = np.fromiter((distinct.setdefault(tag, len(distinct)) for tag in tags), np.int64, len(tags))
    names = list(distinct)
    for name in names:
        if not is_tag(name):
            raise InputError(
                f"{name!r} at token {int(np.flatnonzero(which == distinct[name])[0])} is not a tag; "
                "tags are 'O', 'B-X', 'I-X' (or E-, S-, L-, U-), '_' for no label."
            )
    found = {name[2:] for name in names if name not in ("O", UNLABELLED)}
    known = tuple(sorted(found) if types is None else types)
    if found - set(known):
        raise InputError(
            f"The tags hold the entity type {min(found - set(known))!r}, which is not among {', '.join(known)}."
        )
    position = {name: index for index, name in enumerate(known)}
    code = np.array([_CODE[name[0]] if len(name) > 1 else _O for name in names], np.int64)
    kind = np.array([position[name[2:]] if len(name) > 1 else -1 for name in names], np.int64)
    blank = np.array([name == UNLABELLED for name in names], bool)
    return code[which], kind[which], known, blank[which]


def _codes(ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    entity = ids > 0
    code = np.where(entity, np.where(ids % 2 == 1, _B, _I), _O)
    return code, np.where(entity, (ids - 1) // 2, -1)


def _previous(values: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The value of the token before, within the sentence; -1 at its beginning."""
    before = np.full(len(values), -1, np.int64)
    before[1:] = values[:-1]
    before[starts[:-1][starts[:-1] < len(values)]] = -1
    return before


def _begins(code: NDArray[np.int64], kind: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    closed = np.isin(_previous(code, starts), (_E, _S))
    fresh = (code == _B) | (code == _S) | (_previous(kind, starts) != kind) | closed
    return (kind >= 0) & fresh


def _ends(begins: NDArray[np.bool_], kind: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    stop = np.ones(len(kind), bool)
    stop[:-1] = begins[1:] | (kind[1:] != kind[:-1])
    stop[starts[1:][starts[1:] > 0] - 1] = True
    return (kind >= 0) & stop


def _breaks(
    code: NDArray[np.int64], kind: NDArray[np.int64], starts: NDArray[np.int64], scheme: str
) -> NDArray[np.bool_]:
    begins = _begins(code, kind, starts)
    if scheme in ("IOBES", "BILOU"):
        ends = _ends(begins, kind, starts)
        return (begins & np.isin(code, (_I, _E))) | (ends & np.isin(code, (_B, _I)))
    foreign = np.isin(code, (_E, _S))
    if scheme == "BIO":
        return foreign | (begins & (code == _I))
    if scheme == "IOB1":
        return foreign | ((code == _B) & (_previous(kind, starts) != kind))
    return foreign | (code == _B)
