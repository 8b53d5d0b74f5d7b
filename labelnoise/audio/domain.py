"""Audio, as the core sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.detectors import DETECTORS
from labelnoise.audio.noise import NOISES
from labelnoise.audio.trainers import TRAINERS
from labelnoise.core.corruption import Corruption
from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import DatasetInfo, Domain, data_root
from labelnoise.core.registry import Registry
from labelnoise.core.review.cards import Card
from labelnoise.core.review.samples import Mark, SampleSet, Suggestions
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError

__all__ = ["AudioDomain"]


class AudioDomain(Domain):
    """Wrong classes of clips, wrong and missing tags."""

    name: ClassVar[str] = "audio"
    #: A unit is a clip, or a tag of a clip where clips have several.
    unit: ClassVar[str] = "clip"
    summary: ClassVar[str] = "Audio: wrong classes of sound clips, wrong and missing tags."
    default_dataset: ClassVar[str] = "events"
    default_detector: ClassVar[str] = "calibrated"
    default_trainer: ClassVar[str] = "lq"
    noises: ClassVar[Registry] = NOISES
    detectors: ClassVar[Registry] = DETECTORS
    trainers: ClassVar[Registry] = TRAINERS

    def datasets(self) -> Mapping[str, DatasetInfo]:
        from labelnoise.audio.data import DATASETS

        return DATASETS

    def load(self, source: str, *, root: Path | None = None) -> AudioDataset:
        from labelnoise.audio.data import load_audio

        return load_audio(source, root=root or data_root("audio"))

    def save(self, dataset: Dataset, path: Path) -> list[Path]:
        from labelnoise.audio.files import write_clips

        assert isinstance(dataset, AudioDataset)
        return write_clips(dataset, path)

    def corrupt(
        self, dataset: Dataset, *, kind: str, rate: float, seed: int, **options: Any
    ) -> tuple[Dataset, Corruption]:
        """Replace some given labels by wrong ones, or the sounds below them; what is right is kept as true.

        Examples
        --------
        >>> data = AudioDomain().load("events")
        >>> noisy, made = AudioDomain().corrupt(data, kind="out-of-vocabulary", rate=0.2, seed=0)
        >>> noisy.n_classes, int(noisy.is_wrong.sum()) == round(made.rate * noisy.labelled.sum())
        (10, True)
        """
        noisy, made = super().corrupt(dataset, kind=kind, rate=rate, seed=seed, **options)
        assert isinstance(noisy, AudioDataset)
        from labelnoise.audio.noise_clips import AudioCorruption, swap_with_sound

        if isinstance(made, AudioCorruption):
            noisy = swap_with_sound(noisy, made)
        return noisy, made

    def describe(self, dataset: Dataset) -> dict[str, Any]:
        """Clips, classes or tags, and where labels come from; where the truth is known, how many are wrong.

        Examples
        --------
        >>> facts = AudioDomain().describe(AudioDomain().load("events"))
        >>> facts["clips"], facts["classes"]["bell"], facts["known_wrong_labels"]
        (300, 31, 30)
        """
        assert isinstance(dataset, AudioDataset)
        tags = dataset.tags
        facts: dict[str, Any] = {
            "name": dataset.name,
            "source": dataset.source,
            "unit": "tag" if dataset.multilabel else "clip",
            "clips": dataset.n_clips,
            "labelled": int(dataset.labelled.sum()),
            "tags" if dataset.multilabel else "classes": {
                name: int(count)
                for name, count in zip(dataset.tag_names or dataset.class_names, (tags == 1).sum(axis=0))
            },
            "with_sound": dataset.audio is not None,
            "splits": {name: int(np.asarray(mask).sum()) for name, mask in dataset.splits.items()},
        }
        if dataset.multilabel:
            facts["tags_per_clip"] = round(float((tags == 1).sum() / dataset.n_clips), 4)
        if dataset.origin is not None:
            kinds, counts = np.unique(np.asarray(dataset.origin, dtype=str), return_counts=True)
            facts["origins"] = {str(kind): int(count) for kind, count in zip(kinds, counts)}
        if dataset.verified is not None:
            facts["verified"] = int(dataset.verified.sum())
        if dataset.recordings is not None:
            facts["recordings"] = int(dataset.recording_codes().max()) + 1
        if dataset.is_wrong is not None:
            facts["known_wrong_labels"] = int(dataset.is_wrong.sum())
        return facts

    def unit_context(self, dataset: Dataset, units: Sequence[int]) -> dict[str, list[Any]]:
        """For each pair its file and tag, for a clip with one class nothing of that (it is the unit), and the columns
        that the data set carries.

        Examples
        --------
        >>> data = AudioDataset.from_tags([[1, 0]], ("dog", "rain"), files=("a.wav",))
        >>> AudioDomain().unit_context(data, [1])
        {'file': ['a.wav'], 'tag': ['rain'], 'other_tags': ['dog']}
        """
        assert isinstance(dataset, AudioDataset)
        rows = np.asarray(units, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= dataset.n_units):
            raise InputError(
                f"units holds {rows.min()} to {rows.max()}; they are numbered 0 to {dataset.n_units - 1}."
            )
        clips = dataset.clip_of(rows)
        found: dict[str, list[Any]] = {}
        if dataset.multilabel:
            found["file"] = [dataset.files[i] for i in clips]
            tags, names = dataset.tag_of(rows), dataset.tag_names
            matrix = dataset.tags
            found["tag"] = [names[k] for k in tags]
            found["other_tags"] = [
                "; ".join(names[j] for j in np.flatnonzero(matrix[i] == 1) if j != k)
                for i, k in zip(clips.tolist(), tags.tolist())
            ]
        for name in ("origin", "verified", "annotator"):
            values = getattr(dataset, name)
            if values is not None:
                found[name] = [value.item() if hasattr(value, "item") else value for value in values[clips]]
        return found

    def train(self, dataset: Dataset, *, method: str | None = None, seed: int = 0, **options: Any) -> Trained:
        """Train a network on clips; see `labelnoise.audio.train_methods.train_audio`."""
        from labelnoise.audio.train_methods import train_audio

        assert isinstance(dataset, AudioDataset)
        usual = "plain" if dataset.multilabel else self.default_trainer  # Lq loses on tags
        return train_audio(dataset, method or usual, seed, **options)

    def training_scores(self, dataset: Dataset, trained: Trained) -> list[dict[str, Any]]:
        """Accuracy, and for tags lwlrap and mAP, in the training, validation and test split."""
        from labelnoise.audio.splits import split_scores

        assert isinstance(dataset, AudioDataset)
        return split_scores(dataset, trained)

    def training_measure(self, dataset: Dataset) -> str:
        """Accuracy of classes; of tags lwlrap, since absent ones are the rule."""
        assert isinstance(dataset, AudioDataset)
        return "lwlrap" if dataset.multilabel else "accuracy"

    def review_cards(self, dataset: Dataset, units: Sequence[int]) -> list[Card]:
        """The clip to hear and its spectrogram to see, where the data set comes with sound."""
        from labelnoise.audio.review import clip_cards

        assert isinstance(dataset, AudioDataset)
        return clip_cards(dataset, units)

    def export_samples(self, dataset: Dataset, found: Suggestions) -> SampleSet:
        """Clips with their class or tags, to hear."""
        from labelnoise.audio.samples import clip_samples

        assert isinstance(dataset, AudioDataset)
        return clip_samples(dataset, found)

    def read_marks(self, dataset: Dataset, units: Sequence[int], marks: Sequence[Mark]) -> Mapping[int, str]:
        """The class of a clip, or which of its tags are present.

        Examples
        --------
        >>> data = AudioDataset.from_tags([[1, 0]], ("dog", "rain"), files=("a.wav",))
        >>> AudioDomain().read_marks(data, [1], [Mark("rain")])
        {0: 'absent', 1: 'present'}
        """
        assert isinstance(dataset, AudioDataset)
        if not dataset.multilabel:
            return super().read_marks(dataset, units, marks)
        named, names = {mark.label for mark in marks}, dataset.tag_names
        unknown = sorted(named - set(names))
        if unknown:
            raise InputError(f"the tag {unknown[0]!r} is none of the data's")
        first = int(dataset.clip_of([units[0]])[0]) * len(names)
        # What is not known to be present or absent stays so where nobody marks it.
        return {
            first + k: "present" if name in named else "absent"
            for k, name in enumerate(names)
            if name in named or dataset.given[first + k] >= 0
        }
