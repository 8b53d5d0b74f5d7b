"""Wrong tags of tokens and entities: readers of tagged text, tagging schemes, and data sets with real noise.

Names are imported when they are first used, so that reading text loads no more than numpy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelnoise.text.data import load_text
    from labelnoise.text.dataset import TextDataset, from_sentences
    from labelnoise.text.files import read_text, write_text

__all__ = ["TextDataset", "from_sentences", "load_text", "read_text", "write_text"]

_HOMES = {
    "TextDataset": "labelnoise.text.dataset",
    "from_sentences": "labelnoise.text.dataset",
    "load_text": "labelnoise.text.data",
    "read_text": "labelnoise.text.files",
    "write_text": "labelnoise.text.files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
