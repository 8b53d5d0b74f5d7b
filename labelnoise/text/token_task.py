"""Tokens in sentences as a task of the core's training loop, under any Hugging Face token classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from labelnoise.core.random import generator
from labelnoise.core.softmax_regression import fit_softmax
from labelnoise.core.training.task import Mixed, Split, Task, Units
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.encoder import quiet
from labelnoise.text.evaluation import entity_f1

__all__ = ["OwnPieces", "TokenBatch", "TokenTask"]

#: Share of the pieces that `TokenTask.augment` hides.
HIDDEN = 0.1
#: Training tokens that a fitted head has seen at most, and its penalty.
PROBED = 10_000
PENALTY = 10.0


class TokenBatch(NamedTuple):
    """Windows of sentences.

    Attributes
    ----------
    pieces, attention : Tensor of int64, shape (windows, longest)
    first : Tensor of int64, shape (u,)
        Place of each token's first piece in the flattened windows.
    labels, ids : Tensor of int64, shape (u,)
    """

    pieces: Tensor
    attention: Tensor
    first: Tensor
    labels: Tensor
    ids: Tensor


class TokenTask(Task):
    """Tags of tokens; a token is judged at its first piece.

    Sentences of more pieces than the network takes are cut into windows between tokens, so that every token has
    an answer. A token without a piece, or with more than a window holds, is one unknown piece.

    Parameters
    ----------
    dataset : TextDataset
        With the given tags that may be seen.
    splits : mapping of str to ndarray of bool, shape (n,)
        "train", and "validation" where an epoch is to be chosen by it; whole sentences.
    model : str
        A folder (or hub's name) with a Hugging Face model as safetensors and its fast tokenizer.
    batch_size : int
        Windows per step.
    longest : int
        Pieces of a window, the model's own marks included.
    freeze_embeddings : bool
        Leave the embeddings of pieces as they are.
    own_pieces : bool
        Networks hold the embeddings of the pieces of this data set alone (`OwnPieces`): the same answers for it in a
        fraction of the time and memory where the vocabulary is large, but other text cannot be given to them.
    fitted_head : bool
        The new head does not start from noise but from a softmax regression on the untrained network's features of at
        most `PROBED` training tokens (Kumar et al. 2022, ICLR): features of one encoder lie so close together that a
        head that learns at the network's rate says "O" throughout for hundreds of steps.

    Raises
    ------
    InputError
        A model or tokenizer that cannot be loaded, numbers that are too small, no tag to train on.
    """

    metric: ClassVar[str] = "entity F1"

    def __init__(
        self,
        dataset: TextDataset,
        splits: Mapping[str, NDArray[np.bool_]],
        model: str,
        *,
        batch_size: int = 16,
        longest: int = 256,
        freeze_embeddings: bool = False,
        own_pieces: bool = False,
        fitted_head: bool = False,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; a whole number from 1 is needed.")
        self._source, self._freeze, self._size = model, freeze_embeddings, batch_size
        self.n_classes = dataset.n_classes
        self._names = dataset.class_names
        tokenizer, most = _tokenizer(model)
        self._longest = min(longest, most)
        self._hidden_piece = (
            tokenizer.mask_token_id if tokenizer.mask_token_id is not None else _unknown(tokenizer)
        )
        self._pad = int(tokenizer.pad_token_id or 0)
        self._before, self._after = _marks(tokenizer)
        room = self._longest - len(self._before) - len(self._after)
        if room < 1:
            raise InputError(f"longest is {longest}; windows need at least {longest - room + 1} pieces.")
        every = {**splits, "all": np.ones(dataset.n_units, dtype=bool)}
        self.rows = {name: np.flatnonzero(mask) for name, mask in every.items()}
        given = np.asarray(dataset.given, dtype=np.int64)
        self._labels = {name: given[rows] for name, rows in self.rows.items()}
        self._labels["all"] = np.full(dataset.n_units, NO_LABEL)
        self.given = self._labels["train"]
        self.n_units = len(self.given)
        if not (self.given >= 0).any():
            raise InputError("No token of the training split carries a tag; there is nothing to learn from.")
        chosen = self._labels.get("validation")
        self.validation_labels = "noisy" if chosen is not None and bool((chosen >= 0).any()) else None
        self._sentence = np.asarray(dataset.groups)
        self._windows = _windows(tokenizer, dataset, room)
        special = [self._hidden_piece, self._pad, *self._before, *self._after]
        self._own = sorted({*special, *(piece for _, pieces, _ in self._windows for piece in pieces)})
        self._trim, self._fit = own_pieces, fitted_head
        self._head: tuple[Tensor, Tensor] | None = None
        self._of = {name: [window for window in self._windows if every[name][window[0]]] for name in every}
        self._place = {}
        for name, rows in self.rows.items():
            self._place[name] = np.full(dataset.n_units, -1)
            self._place[name][rows] = np.arange(len(rows))

    def build(self) -> nn.Module:
        from transformers import AutoModelForTokenClassification

        names = dict(enumerate(self._names))
        try:
            with quiet():
                model = AutoModelForTokenClassification.from_pretrained(
                    self._source,
                    num_labels=self.n_classes,
                    id2label=names,
                    label2id={name: index for index, name in names.items()},
                    use_safetensors=True,
                    ignore_mismatched_sizes=True,
                )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise _not_loaded(self._source, error) from None
        whole = model.get_input_embeddings()
        if self._trim and isinstance(whole, nn.Embedding):
            model.set_input_embeddings(OwnPieces(whole, self._own))
        if self._freeze:
            model.get_input_embeddings().requires_grad_(False)
        made: nn.Module = model.float()
        head = _last_linear(made, self.n_classes) if self._fit else None
        if head is not None:
            if self._head is None:
                self._head = self._fitted(made, head)
            with torch.no_grad():  # added to the noise that is there, so that two networks are not one
                head.weight += self._head[0]
                if head.bias is not None:
                    head.bias += self._head[1]
        return made

    def _fitted(self, model: nn.Module, head: nn.Linear) -> tuple[Tensor, Tensor]:
        """Weights and bias of a regression on what enters the head."""
        entered: list[Tensor] = []
        hook = head.register_forward_pre_hook(lambda _, given: entered.append(given[0]))
        windows = self._of["train"]
        sizes = np.cumsum([len(firsts) for _, _, firsts in windows])
        order = generator(0, "tokens for the head").permutation(len(windows))
        enough = 1 + int(np.searchsorted(np.cumsum(np.diff(sizes, prepend=0)[order]), PROBED))
        some = sorted((windows[at] for at in order[:enough]), key=lambda one: len(one[1]))
        states, labels = [], []
        was_training = model.training
        model.eval()
        with torch.no_grad():
            for at in range(0, len(some), self._size):
                batch = self._batch("train", some[at : at + self._size])
                entered.clear()
                self.forward(model, batch)
                has = batch.labels >= 0
                states.append(entered[0].flatten(0, -2)[batch.first][has].numpy())
                labels.append(batch.labels[has].numpy())
        model.train(was_training)
        hook.remove()
        x, given = np.concatenate(states), np.concatenate(labels)
        if not len(given):
            return torch.zeros_like(head.weight), torch.zeros(self.n_classes)
        centre, scale = x.mean(axis=0), float(x.std(axis=0).mean()) + 1e-6
        one = np.eye(self.n_classes, dtype=np.float32)[given]
        fit = fit_softmax((x - centre) / scale, one, l2=PENALTY)
        weights = np.asarray(fit.weights, dtype=np.float32) / scale
        bias = np.asarray(fit.bias, dtype=np.float32) - centre @ weights
        return torch.from_numpy(weights.T.copy()), torch.from_numpy(bias.astype(np.float32))

    def batches(self, split: Split | Literal["all"], rng: np.random.Generator | None) -> Iterator[TokenBatch]:
        if split not in self.rows:
            raise InputError(f"There is no {split} split; name its tokens in splits.")
        windows = self._of[split]
        sizes = np.array([len(pieces) for _, pieces, _ in windows])
        if rng is None:
            order = np.argsort(sizes, kind="stable")
        else:
            # Windows of like length share a batch, drawn anew each time; then the batches are shuffled.
            order = np.argsort(sizes + rng.random(len(sizes)) * (1 + sizes / 4), kind="stable")
        groups = [order[at : at + self._size] for at in range(0, len(order), self._size)]
        for index in range(len(groups)) if rng is None else rng.permutation(len(groups)):
            yield self._batch(split, [windows[at] for at in groups[index]])

    def forward(self, model: nn.Module, batch: TokenBatch) -> Units:
        logits = model(input_ids=batch.pieces, attention_mask=batch.attention).logits
        return Units(logits.flatten(0, 1)[batch.first], batch.labels, batch.ids)

    def augment(self, batch: TokenBatch, rng: np.random.Generator) -> TokenBatch:
        """A tenth of the pieces hidden."""
        pieces = batch.pieces.clone()
        drawn = torch.from_numpy(rng.random(tuple(pieces.shape)) < HIDDEN).to(pieces.device)
        inner = batch.attention.bool().clone()
        inner[:, : len(self._before)] = False
        pieces[drawn & inner] = self._hidden_piece
        return batch._replace(pieces=pieces)

    def mixed(self, model: nn.Module, batch: TokenBatch, alpha: float, rng: np.random.Generator) -> Mixed:
        """Tokens mixed in pairs behind the last layer, as words cannot be (manifold mixup, Verma et al. 2019).

        The heads are linear, so that the mixed logits are those of the mixed states.
        """
        logits = self.forward(model, batch).logits
        partner = torch.from_numpy(rng.permutation(len(logits))).to(logits.device)
        share = torch.as_tensor(rng.beta(alpha, alpha, len(logits)), dtype=logits.dtype, device=logits.device)
        share = torch.maximum(share, 1 - share)
        weight = share[:, None]
        return Mixed(weight * logits + (1 - weight) * logits[partner], partner, share)

    def score(self, outputs: Iterable[Units]) -> float:
        """Micro F1 of entities (lenient) of the validation split."""
        labels = self._labels["validation"]
        predicted = np.zeros(len(labels), dtype=np.int64)
        for logits, _, ids in outputs:
            predicted[ids.cpu().numpy()] = logits.argmax(1).cpu().numpy()
        sentence = self._sentence[self.rows["validation"]]
        starts = np.flatnonzero(np.r_[True, sentence[1:] != sentence[:-1], True])
        return entity_f1(labels, predicted, starts=starts)

    def _batch(self, split: str, windows: list[tuple[int, list[int], list[int]]]) -> TokenBatch:
        before, after = len(self._before), len(self._after)
        width = before + max(len(pieces) for _, pieces, _ in windows) + after
        table = np.full((len(windows), width), self._pad, dtype=np.int64)
        attention = np.zeros((len(windows), width), dtype=np.int64)
        places: list[int] = []
        tokens: list[int] = []
        for row, (token, pieces, firsts) in enumerate(windows):
            whole = [*self._before, *pieces, *self._after]
            table[row, : len(whole)] = whole
            attention[row, : len(whole)] = 1
            places += [row * width + before + first for first in firsts]
            tokens += range(token, token + len(firsts))
        ids = self._place[split][tokens]
        return TokenBatch(
            torch.from_numpy(table),
            torch.from_numpy(attention),
            torch.tensor(places),
            torch.from_numpy(self._labels[split][ids]),
            torch.from_numpy(ids),
        )


class OwnPieces(nn.Module):
    """The embeddings of some pieces, under their old numbers; another piece is an error.

    Optimisers move every row of a dense embedding in every step, so rows that no sentence asks for cost as much as
    the others: with 250,000 pieces of 384 numbers about half of a step of a small network.

    Parameters
    ----------
    whole : nn.Embedding
    pieces : sequence of int
        Those that are kept, rising.

    Examples
    --------
    >>> whole = nn.Embedding(100, 2)
    >>> own = OwnPieces(whole, [3, 50])
    >>> bool((own(torch.tensor([50, 3])) == whole(torch.tensor([50, 3]))).all()), own.kept.weight.shape
    (True, torch.Size([2, 2]))
    """

    place: Tensor

    def __init__(self, whole: nn.Embedding, pieces: Sequence[int]) -> None:
        super().__init__()
        rows = torch.tensor(pieces)
        pad = whole.padding_idx
        kept = pieces.index(pad) if pad is not None and pad in pieces else None
        weights = whole.weight.detach()[rows].clone()
        self.kept = nn.Embedding.from_pretrained(weights, freeze=False, padding_idx=kept)
        place = torch.full((whole.num_embeddings,), -1)
        place[rows] = torch.arange(len(rows))
        self.register_buffer("place", place, persistent=False)

    def forward(self, pieces: Tensor) -> Tensor:
        """Rows of the pieces, shape (..., d)."""
        found: Tensor = self.kept(self.place[pieces])
        return found


def _last_linear(model: nn.Module, classes: int) -> nn.Linear | None:
    """The layer that gives the logits, if it is linear."""
    found = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == classes]
    return found[-1] if found else None


def _windows(tokenizer: Any, dataset: TextDataset, room: int) -> list[tuple[int, list[int], list[int]]]:
    """First token, pieces, and the place of each token's first piece, of every window."""
    unknown = _unknown(tokenizer)
    windows = []
    edges = list(pairwise(dataset.starts.tolist()))
    for at in range(0, len(edges), 1000):
        part = edges[at : at + 1000]
        words = [[str(word) or " " for word in dataset.tokens[a:b]] for a, b in part]
        found = tokenizer(words, is_split_into_words=True, add_special_tokens=False)
        for row, (first, last) in enumerate(part):
            by_token: list[list[int]] = [[] for _ in range(last - first)]
            for piece, word in zip(found["input_ids"][row], found.word_ids(row), strict=True):
                by_token[word].append(piece)
            token, pieces, firsts = first, list[int](), list[int]()
            for index, own in enumerate(by_token):
                ids = own if 0 < len(own) <= room else [unknown]
                if len(pieces) + len(ids) > room:
                    windows.append((token, pieces, firsts))
                    token, pieces, firsts = first + index, [], []
                firsts.append(len(pieces))
                pieces += ids
            windows.append((token, pieces, firsts))
    return windows


def _tokenizer(source: str) -> tuple[Any, int]:
    """The tokenizer, and how many pieces the model takes."""
    from transformers import AutoConfig, AutoTokenizer

    if source.startswith(("/", ".", "~")) and not Path(source).expanduser().is_dir():
        raise InputError(
            f"There is no folder {source!r}; give one with a Hugging Face model and its tokenizer."
        )
    try:
        with quiet():
            config = AutoConfig.from_pretrained(source)
            tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True)
            if tokenizer.is_fast and getattr(tokenizer, "add_prefix_space", None) is False:
                tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True, add_prefix_space=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _not_loaded(source, error) from None
    if not tokenizer.is_fast:
        raise InputError(
            f"The tokenizer of {source!r} cannot map pieces to words; a fast tokenizer is needed."
        )
    # Some models keep the first positions for padding.
    spare = int(getattr(config, "pad_token_id", None) or 0) + 1
    most = int(getattr(config, "max_position_embeddings", 0) or 0) - spare
    return tokenizer, most if most > 0 else 1 << 30


def _not_loaded(source: str, error: Exception) -> InputError:
    said = " ".join(str(error).split()).split(". ")[0][:200].removesuffix(".")
    return InputError(
        f"The model {source!r} cannot be loaded ({said}); give a folder with a Hugging Face model as safetensors and "
        "its tokenizer."
    )


def _unknown(tokenizer: Any) -> int:
    """A piece for what cannot be spelled."""
    found = (tokenizer.unk_token_id, tokenizer.mask_token_id, tokenizer.eos_token_id, 0)
    return next(int(piece) for piece in found if piece is not None)


def _marks(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a sentence."""
    whole = tokenizer(["a"], is_split_into_words=True)["input_ids"]
    inner = tokenizer(["a"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    for at in range(len(whole) - len(inner) + 1):
        if whole[at : at + len(inner)] == inner:
            return whole[:at], whole[at + len(inner) :]
    return [], []
