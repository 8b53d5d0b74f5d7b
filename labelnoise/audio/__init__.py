"""Wrong labels of sound clips: data sets of clips and tags, their file formats, and features of sound.

Names are imported when they are first used, so that reading labels loads neither torch nor soundfile.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelnoise.audio.data import load_audio
    from labelnoise.audio.dataset import AudioDataset
    from labelnoise.audio.decode import LazyAudio

__all__ = ["AudioDataset", "LazyAudio", "load_audio"]

_HOMES = {
    "AudioDataset": "labelnoise.audio.dataset",
    "LazyAudio": "labelnoise.audio.decode",
    "load_audio": "labelnoise.audio.data",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
