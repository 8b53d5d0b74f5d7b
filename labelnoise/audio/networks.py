"""Networks for log-mel crops of clips, and a linear head for vectors that describe whole clips."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from labelnoise.core.validation import choose

__all__ = ["NETWORKS", "ClipNetwork", "LinearHead", "MobileNet", "SmallCNN", "build_network"]


class ClipNetwork(nn.Module):
    """Crops become embeddings, embeddings of one clip are pooled, and a linear head answers for the clip.

    Pooled before the head, and so before the loss: a crop need not hold the sound that its clip is labelled with.

    Attributes
    ----------
    vectors : bool
        Whether the input is one vector per clip; crops of shape (frames, n_mels) else.
    """

    vectors = False

    def __init__(self, width: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, n_classes)

    def embed(self, crops: Tensor) -> Tensor:
        """Embeddings (crops, width) of crops (crops, frames, n_mels)."""
        raise NotImplementedError

    def forward(self, crops: Tensor, owner: Tensor, n_clips: int) -> Tensor:
        """Logits (n_clips, K); ``owner`` (crops,) says which clip each crop is from."""
        embedded = self.embed(crops)
        counts = torch.bincount(owner, minlength=n_clips).to(embedded.dtype)
        pooled = embedded.new_zeros(n_clips, embedded.shape[1]).index_add_(0, owner, embedded)
        logits: Tensor = self.head(self.dropout(pooled / counts[:, None]))
        return logits


class SmallCNN(ClipNetwork):
    """Four convolutions of stride 2, the mean over bands, and the sum of mean and maximum over time; 99,000 weights.

    Parameters
    ----------
    n_mels, n_classes : int
    width : int
        Channels of the last convolution, a multiple of 8.
    dropout : float

    Examples
    --------
    >>> network = SmallCNN(64, 10)
    >>> network(torch.zeros(3, 96, 64), torch.tensor([0, 1, 1]), 2).shape
    torch.Size([2, 10])
    >>> sum(p.numel() for p in network.parameters())
    98682
    """

    def __init__(self, n_mels: int, n_classes: int, *, width: int = 128, dropout: float = 0.2) -> None:
        super().__init__(width, n_classes, dropout)
        channels = [1, width // 8, width // 4, width // 2, width]
        layers = [_convolution(before, after, 3, 2) for before, after in pairwise(channels)]
        self.layers = nn.Sequential(*layers)

    def embed(self, crops: Tensor) -> Tensor:
        found = self.layers(crops[:, None]).mean(dim=3)
        pooled: Tensor = found.mean(dim=2) + found.amax(dim=2)
        return pooled


class MobileNet(ClipNetwork):
    """The network of the baseline of DCASE 2019 task 2: MobileNet v1, first stride 1, global maximum; 3.2 M weights.

    Parameters
    ----------
    n_mels, n_classes : int
    width : float
        Factor for the channels.
    dropout : float

    References
    ----------
    Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017, table 1.

    Examples
    --------
    >>> sum(p.numel() for p in MobileNet(96, 80).parameters()) // 100_000
    32
    """

    #: Channels and stride of each separable convolution.
    _PLAN = (
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        *[(512, 1)] * 5,
        (1024, 2),
        (1024, 1),
    )

    def __init__(self, n_mels: int, n_classes: int, *, width: float = 1.0, dropout: float = 0.2) -> None:
        super().__init__(max(int(1024 * width), 8), n_classes, dropout)
        before = max(int(16 * width), 8)
        layers: list[nn.Module] = [_convolution(1, before, 3, 1)]
        for channels, stride in self._PLAN:
            after = max(int(channels * width), 8)
            layers += [
                _convolution(before, before, 3, stride, groups=before),
                _convolution(before, after, 1, 1),
            ]
            before = after
        self.layers = nn.Sequential(*layers)

    def embed(self, crops: Tensor) -> Tensor:
        found: Tensor = self.layers(crops[:, None]).amax(dim=(2, 3))
        return found


class LinearHead(ClipNetwork):
    """One linear map of a vector per clip: an embedding that another network made, or pooled log-mel bands.

    Examples
    --------
    >>> LinearHead(192, 10)(torch.zeros(2, 192), torch.arange(2), 2).shape
    torch.Size([2, 10])
    """

    vectors = True

    def __init__(self, n_features: int, n_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__(n_features, n_classes, dropout)

    def embed(self, crops: Tensor) -> Tensor:
        return crops


#: Networks by name.
NETWORKS: Mapping[str, type[ClipNetwork]] = {"cnn": SmallCNN, "mobilenet": MobileNet, "linear": LinearHead}


def build_network(name: str, n_inputs: int, n_classes: int, **options: Any) -> ClipNetwork:
    """A network by name, for so many mel bands (or entries of a vector) and classes.

    Raises
    ------
    InputError
        Unknown network or option.

    Examples
    --------
    >>> build_network("linear", 192, 10).head.out_features
    10
    """
    import inspect

    choose(name, NETWORKS, "audio network")
    kind = NETWORKS[name]
    known = [
        key
        for key, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    for key in options:
        choose(key, known, f"option of the network {name!r}")
    return kind(n_inputs, n_classes, **options)


def _convolution(before: int, after: int, size: int, stride: int, groups: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
