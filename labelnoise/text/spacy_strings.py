"""The 64-bit ids by which spaCy's files call strings."""

from __future__ import annotations

__all__ = ["string_id"]

#: Strings whose id is their place in this list, from 1; all others are hashed.
_SYMBOLS = """
IS_ALPHA IS_ASCII IS_DIGIT IS_LOWER IS_PUNCT IS_SPACE IS_TITLE IS_UPPER LIKE_URL LIKE_NUM LIKE_EMAIL
IS_STOP IS_OOV_DEPRECATED IS_BRACKET IS_QUOTE IS_LEFT_PUNCT IS_RIGHT_PUNCT IS_CURRENCY FLAG:19-63
ID ORTH LOWER NORM SHAPE PREFIX SUFFIX LENGTH CLUSTER LEMMA POS TAG DEP ENT_IOB ENT_TYPE HEAD SENT_START
SPACY PROB LANG ADJ ADP ADV AUX CONJ CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X EOL
SPACE DEPRECATED:001-276
PERSON NORP FACILITY ORG GPE LOC PRODUCT EVENT WORK_OF_ART LANGUAGE LAW DATE TIME PERCENT MONEY QUANTITY
ORDINAL CARDINAL acomp advcl advmod agent amod appos attr aux auxpass cc ccomp complm conj cop csubj
csubjpass dep det dobj expl hmod hyph infmod intj iobj mark meta neg nmod nn npadvmod nsubj nsubjpass
num number oprd obj obl parataxis partmod pcomp pobj poss possessive preconj prep prt punct quantmod
relcl rcmod root xcomp acl ENT_KB_ID MORPH ENT_ID IDX _
"""
_FACTOR = 0xC6A4A7935BD1E995
_ALL = (1 << 64) - 1


def _symbol_ids() -> dict[str, int]:
    names: list[str] = []
    for word in _SYMBOLS.split():
        stem, _, numbers = word.partition(":")
        first, _, last = numbers.partition("-")
        width = len(first)
        names += [f"{stem}{n:0{width}}" for n in range(int(first), int(last) + 1)] if numbers else [stem]
    return {name: index for index, name in enumerate(names, start=1)}


_IDS = _symbol_ids()


def string_id(text: str) -> int:
    """The id of a string: 0 for the empty one, a small number for spaCy's own symbols, else a hash.

    Notes
    -----
    The hash is MurmurHash64A of Appleby (2008, public domain) of the UTF-8 bytes with seed 1.

    Examples
    --------
    >>> string_id("Ada"), string_id("ORG"), string_id("")
    (13014124235272500476, 383, 0)
    """
    if not text:
        return 0
    known = _IDS.get(text)
    if known is not None:
        return known
    data = text.encode("utf-8", "surrogatepass")
    result = 1 ^ (len(data) * _FACTOR & _ALL)
    whole = len(data) & ~7
    for at in range(0, whole, 8):
        part = int.from_bytes(data[at : at + 8], "little") * _FACTOR & _ALL
        result = (result ^ ((part ^ part >> 47) * _FACTOR & _ALL)) * _FACTOR & _ALL
    if whole < len(data):
        result = (result ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _ALL
    result = (result ^ result >> 47) * _FACTOR & _ALL
    return result ^ result >> 47
