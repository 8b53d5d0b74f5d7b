"""Tagged text, as the core sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from labelnoise.core.corruption import Corruption
from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import DatasetInfo, Domain, data_root
from labelnoise.core.issues import IssueTable
from labelnoise.core.registry import Registry
from labelnoise.core.review.cards import Card
from labelnoise.core.review.samples import Mark, SampleSet, Suggestions
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset, entity_noise
from labelnoise.text.detectors import DETECTORS
from labelnoise.text.noise import NOISES
from labelnoise.text.schemes import repair
from labelnoise.text.trainers import TRAINERS

__all__ = ["TextDomain"]


class TextDomain(Domain):
    """Wrong tags of tokens."""

    name: ClassVar[str] = "text"
    unit: ClassVar[str] = "token"
    summary: ClassVar[str] = "Named-entity recognition: wrong tags of tokens in sentences."
    default_dataset: ClassVar[str] = "news"
    default_detector: ClassVar[str] = "calibrated"
    probs_detector: ClassVar[str] = "confident-learning"
    noises: ClassVar[Registry] = NOISES
    detectors: ClassVar[Registry] = DETECTORS
    trainers: ClassVar[Registry] = TRAINERS
    default_trainer: ClassVar[str] = "self-training"
    train_columns: ClassVar[Mapping[str, str]] = {
        "entity_precision": "entity P",
        "entity_recall": "entity R",
        "entity_f1": "entity F1",
        "entity_f1_strict": "strict F1",
    }

    def datasets(self) -> Mapping[str, DatasetInfo]:
        from labelnoise.text.data import DATASETS

        return DATASETS

    def load(self, source: str, *, root: Path | None = None) -> TextDataset:
        from labelnoise.text.data import load_text
        from labelnoise.text.kept_truth import with_kept_truth

        found = load_text(source, root=root or data_root("text"))
        path = Path(source)
        return with_kept_truth(found, path) if path.exists() else found

    def save(self, dataset: Dataset, path: Path) -> list[Path]:
        from labelnoise.text.kept_truth import write_with_truth

        assert isinstance(dataset, TextDataset)
        return write_with_truth(dataset, path)

    def corrupt(
        self, dataset: Dataset, *, kind: str, rate: float, seed: int, **options: Any
    ) -> tuple[Dataset, Corruption]:
        """Replace some given tags by wrong ones; the old ones are kept as true.

        The rate is the share of wrong entities, 1 - micro F1; the record tells it beside that of wrong tokens.

        Examples
        --------
        >>> domain = TextDomain()
        >>> noisy, made = domain.corrupt(domain.load("news"), kind="mixed", rate=0.2, seed=0)
        >>> record = noisy.meta["corruption"]
        >>> round(record["realised_entity_rate"], 3), record["realised_rate"] < 0.1
        (0.2, True)
        """
        noisy, made = super().corrupt(dataset, kind=kind, rate=rate, seed=seed, **options)
        record = {**noisy.meta["corruption"], "realised_entity_rate": made.rates["entities"]}
        return replace(noisy, meta={**noisy.meta, "corruption": record}), made

    def corrupt_alike(self, dataset: Dataset, *, seed: int) -> tuple[Dataset, Corruption]:
        """As many wrong entities as the data have, drawn tag by tag from their own confusions and kept valid.

        Examples
        --------
        >>> domain = TextDomain()
        >>> news = domain.load("news")
        >>> made = domain.corrupt_alike(news, seed=0)[1]
        >>> abs(made.rates["entities"] - domain.describe(news)["wrong_entities"]) < 0.005
        True
        """
        from labelnoise.text.token_noise import class_dependent, open_pair

        assert isinstance(dataset, TextDataset)
        pair = open_pair(dataset)
        assert pair.true is not None
        known = pair.labelled & (pair.true >= 0)
        clean = replace(dataset, given=np.where(known, pair.true, -1).astype(dataset.given.dtype), true=None)
        made = class_dependent(clean, entity_noise(pair), seed, pair=pair)
        record = {"kind": "matched", "realised_rate": made.rate, "seed": seed}
        return clean.with_labels(made.labels, true=pair.true, corruption=record), made

    def describe(self, dataset: Dataset) -> dict[str, Any]:
        """Size, entities by type, tags that break BIO, and how many entities are known to be wrong.

        Examples
        --------
        >>> facts = TextDomain().describe(TextDomain().load("news"))
        >>> facts["sentences"], facts["tokens"], facts["entities"], facts["wrong_entities"]
        (1200, 11566, {'LOC': 792, 'ORG': 699, 'PER': 733}, 0.1062)
        """
        assert isinstance(dataset, TextDataset)
        spans = dataset.spans()
        counts = np.bincount(spans["type"], minlength=len(dataset.types))
        facts: dict[str, Any] = {
            "name": dataset.name,
            "source": dataset.source,
            "sentences": dataset.n_sentences,
            "documents": None if dataset.documents is None else len(np.unique(dataset.documents)),
            "tokens": dataset.n_units,
            "labelled": int(dataset.labelled.sum()),
            "entities": {name: int(count) for name, count in zip(dataset.types, counts)},
            "mean_entity_length": round(float((spans["end"] - spans["start"]).mean()), 2)
            if len(spans)
            else None,
            "scheme": dataset.meta.get("scheme", "BIO"),
            "tags_that_break_bio": int((repair(dataset.given, starts=dataset.starts) != dataset.given).sum()),
            "splits": {name: int(mask.sum()) for name, mask in dataset.masks.items()},
        }
        if dataset.is_wrong is not None:
            facts["known_wrong_labels"] = int(dataset.is_wrong.sum())
            facts["wrong_entities"] = round(entity_noise(dataset), 4)
        return facts

    def is_here(self, name: str) -> bool:
        from labelnoise.text.data import is_here

        return is_here(name, data_root("text"))

    def extra_verbs(self) -> Mapping[str, Callable[..., Any]]:
        """transfer: the tags of one language for text in another."""
        from labelnoise.text.transfer_verb import transfer_verb

        return {"transfer": transfer_verb}

    def extra_methods(self) -> Mapping[str, tuple[str, Registry]]:
        """Ways to carry tags to another language."""
        from labelnoise.text.transfer import TRANSFERS

        return {"transfer": ("Ways of transfer", TRANSFERS)}

    def training_scores(self, dataset: Dataset, trained: Trained) -> list[dict[str, Any]]:
        """Accuracy of tags and F1 of entities in each split, the data set's own or the drawn one."""
        from labelnoise.text.splits import split_scores

        assert isinstance(dataset, TextDataset)
        return split_scores(dataset, trained)

    def training_measure(self, dataset: Dataset) -> str:
        """F1 of entities; accuracy of tags rewards saying that nothing is one."""
        return "entity_f1"

    def unit_context(self, dataset: Dataset, units: Sequence[int]) -> dict[str, list[Any]]:
        """For each token its word, its sentence's number, and the sentence with the word in brackets.

        Examples
        --------
        >>> domain = TextDomain()
        >>> domain.unit_context(domain.load("news"), [3])["context"]
        ['Baker won the [race] in Paris ahead of Oslen .']
        """
        assert isinstance(dataset, TextDataset)
        rows = np.asarray(units, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= dataset.n_units):
            raise InputError(
                f"units holds {rows.min()} to {rows.max()}; tokens are numbered 0 to {dataset.n_units - 1}."
            )
        assert dataset.groups is not None
        sentence = dataset.groups[rows]
        context = []
        for row, index in zip(rows, sentence):
            words = dataset.sentence(int(index))
            words[dataset.position[row]] = f"[{dataset.tokens[row]}]"
            context.append(" ".join(words))
        return {"word": dataset.tokens[rows].tolist(), "sentence": sentence.tolist(), "context": context}

    def review_cards(self, dataset: Dataset, units: Sequence[int]) -> list[Card]:
        from labelnoise.text.review import token_cards

        assert isinstance(dataset, TextDataset)
        return token_cards(dataset, units)

    def table_cards(self, dataset: Dataset, table: IssueTable, shown: IssueTable) -> list[Card]:
        """As `review_cards`, titled with the entities that all suggestions of the table together give."""
        from labelnoise.text.review import token_cards

        assert isinstance(dataset, TextDataset)
        number = {name: k for k, name in enumerate(dataset.class_names)}
        tags = np.array(dataset.given, dtype=np.int64)
        for row, name in zip(table.columns["index"].tolist(), table.columns["suggested"].tolist()):
            tags[row] = number.get(str(name), tags[row])
        return token_cards(dataset, shown.columns["index"].tolist(), tags)

    def export_samples(self, dataset: Dataset, found: Suggestions) -> SampleSet:
        """Sentences with their entities by character."""
        from labelnoise.text.samples import sentence_samples

        assert isinstance(dataset, TextDataset)
        return sentence_samples(dataset, found)

    def read_marks(self, dataset: Dataset, units: Sequence[int], marks: Sequence[Mark]) -> Mapping[int, str]:
        """The tags of a sentence whose entities are marked by character."""
        from labelnoise.text.samples import tags_of_marks

        assert isinstance(dataset, TextDataset)
        return tags_of_marks(dataset, units[0], marks)
