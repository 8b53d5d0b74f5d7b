"""Networks from images to class logits: a small U-Net, its half-resolution form, and those of smp by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelnoise.core.validation import InputError, choose

__all__ = ["NETWORKS", "UNet", "build_network"]

#: Networks by name; beside these any of segmentation-models-pytorch as "smp:Unet:resnet18".
NETWORKS = ("unet", "unet-half")


def build_network(name: str, channels: int, outputs: int, **options: Any) -> nn.Module:
    """A fresh network, without pretrained weights; takes images of any size.

    Parameters
    ----------
    name : str
        Of `NETWORKS`: "unet" (width 12), "unet-half" (width 16 at half the resolution, a third of the cost); or
        "smp:ARCHITECTURE:ENCODER" of segmentation-models-pytorch.
    channels, outputs : int
        Of the images and of the answer.
    **options
        ``width`` of the U-Nets, or anything that smp's constructor takes.

    Raises
    ------
    InputError
        An unknown name or option, or smp is missing.

    Examples
    --------
    >>> model = build_network("unet-half", 1, 4)
    >>> model(torch.zeros(2, 1, 50, 37)).shape, sum(p.numel() for p in model.parameters()) // 1000
    (torch.Size([2, 4, 50, 37]), 488)
    """
    if name.startswith("smp:"):
        return _smp(name, channels, outputs, options)
    choose(name, NETWORKS, "network")
    unknown = set(options) - {"width"}
    if unknown:
        raise InputError(f"The network {name!r} has no option {sorted(unknown)[0]!r}; it takes: width.")
    half = name == "unet-half"
    return UNet(channels, outputs, width=int(options.get("width", 16 if half else 12)), half=half)


class UNet(nn.Module):
    """A U-Net of four resolutions with batch normalisation; borders are reflected up to a fitting size.

    Parameters
    ----------
    channels, outputs : int
    width : int
        Channels at the first resolution; twice as many at each next.
    half : bool
        Every 2 x 2 pixels become channels of one, and logits are enlarged bilinearly.

    References
    ----------
    Ronneberger, Fischer, Brox 2015, U-Net, MICCAI.
    """

    def __init__(self, channels: int, outputs: int, *, width: int = 12, half: bool = False) -> None:
        super().__init__()
        if width < 1 or channels < 1 or outputs < 1:
            raise InputError(
                f"width {width}, channels {channels} and outputs {outputs} must all be 1 or more."
            )
        self.half = half
        sizes = [width, 2 * width, 4 * width, 8 * width]
        first = channels * 4 if half else channels
        self.down = nn.ModuleList(_block(a, b) for a, b in zip([first, *sizes], sizes))
        self.up = nn.ModuleList(_block(a + b, b) for a, b in zip(sizes[:0:-1], sizes[-2::-1]))
        self.head = nn.Conv2d(width, outputs, 1)
        # A fifth faster on CPU, and logits come pixel by pixel, as losses want them.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        x = _padded(images, 16 if self.half else 8)
        full = x.shape[-2:]
        if self.half:
            x = F.pixel_unshuffle(x, 2)
        x = x.contiguous(memory_format=torch.channels_last)
        kept = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            kept.append(x)
        for block, skip in zip(self.up, kept[-2::-1]):
            x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], dim=1))
        answer: Tensor = self.head(x)
        if self.half:
            answer = F.interpolate(answer, size=full, mode="bilinear", align_corners=False)
        return answer[..., :height, :width]


class _Fitted(nn.Module):
    """Pads images to what an encoder can halve five times, and crops its answer."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        answer: Tensor = self.inner(_padded(images, 32))
        return answer[..., :height, :width]


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a in (inputs, outputs):
        layers += [nn.Conv2d(a, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]
    return nn.Sequential(*layers)


def _padded(images: Tensor, multiple: int) -> Tensor:
    height, width = images.shape[-2:]
    low, right = -height % multiple, -width % multiple
    return F.pad(images, (0, right, 0, low), mode="replicate") if low or right else images


def _smp(name: str, channels: int, outputs: int, options: dict[str, Any]) -> nn.Module:
    try:
        import segmentation_models_pytorch as smp  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError(
            f"The network {name!r} needs segmentation-models-pytorch; run pip install 'labelnoise[segmentation]'."
        ) from error
    parts = name.split(":")
    if len(parts) != 3:
        raise InputError(f"The network {name!r} is not of the form 'smp:Unet:resnet18'; name both parts.")
    try:
        inner = smp.create_model(
            parts[1], parts[2], encoder_weights=None, in_channels=channels, classes=outputs, **options
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"segmentation-models-pytorch cannot make {name!r}: {error}. Check both names and the options."
        ) from error
    return _Fitted(inner)
