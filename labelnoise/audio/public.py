"""The public data sets of clips: where each lies under a root, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.esc50 import read_esc50, read_esc50_heard
from labelnoise.audio.fsd import read_fsd50k, read_fsdkaggle2019, read_fsdnoisy18k
from labelnoise.core.domain import DatasetInfo

__all__ = ["PUBLIC", "PublicClips"]


@dataclass(frozen=True)
class PublicClips:
    """Where a public data set lies and how it is read.

    Attributes
    ----------
    info : DatasetInfo
    places : tuple of (str, str)
        Folders below the root, and a file in each whose presence means that the data set is there; the first is
        where to put it.
    read : callable
        ``read(folder) -> AudioDataset``.
    """

    info: DatasetInfo
    places: tuple[tuple[str, str], ...]
    read: Callable[[Path], AudioDataset]


#: Public data sets by name.
PUBLIC: dict[str, PublicClips] = {
    item.info.name: item
    for item in (
        PublicClips(
            DatasetInfo(
                "ESC-50",
                "2,000 clips of 5 s, 50 environmental sounds, five folds; a part of it will do",
                "CC BY-NC 3.0",
                "github.com/karolpiczak/ESC-50",
            ),
            (("ESC-50-master", "meta/esc50.csv"), ("esc50_fold4", "meta.csv")),
            read_esc50,
        ),
        PublicClips(
            DatasetInfo(
                "ESC-50-heard",
                "ESC-50 as one listener labelled it; the published class is the true one",
                "CC BY-NC 3.0",
                "github.com/karolpiczak/ESC-50",
                real_noise=True,
            ),
            (("ESC-50-master", "meta/esc50.csv"), ("esc50_fold4", "meta.csv")),
            read_esc50_heard,
        ),
        PublicClips(
            DatasetInfo(
                "FSDKaggle2019",
                "29,266 clips, 80 tags: curated and noisy training labels, complete test labels",
                "CC BY 4.0, clips by their own",
                "zenodo.org/records/3612637",
            ),
            (
                ("FSDKaggle2019.meta", "train_noisy_post_competition.csv"),
                ("fsdkaggle2019_meta", "train_noisy_post_competition.csv"),
            ),
            read_fsdkaggle2019,
        ),
        PublicClips(
            DatasetInfo(
                "FSDnoisy18k",
                "18,532 clips of 20 classes, a tenth of the training clips verified by people",
                "CC BY 3.0, clips by their own",
                "zenodo.org/records/2529934",
            ),
            (("FSDnoisy18k", "FSDnoisy18k.meta/train.csv"),),
            read_fsdnoisy18k,
        ),
        PublicClips(
            DatasetInfo(
                "FSD50K",
                "51,197 clips, 200 tags, with people's ratings of each",
                "CC BY 4.0, clips by their own",
                "zenodo.org/records/4060432",
            ),
            (("FSD50K", "FSD50K.ground_truth/dev.csv"),),
            read_fsd50k,
        ),
    )
}
