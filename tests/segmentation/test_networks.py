"""Networks: sizes, names, options."""

from __future__ import annotations

import pytest
import torch

from labelnoise.core.validation import InputError
from labelnoise.segmentation.networks import UNet, build_network


@pytest.mark.parametrize("name", ["unet", "unet-half"])
@pytest.mark.parametrize("size", [(64, 64), (33, 50), (5, 7)])
def test_any_size_comes_back(name: str, size: tuple[int, int]) -> None:
    model = build_network(name, 3, 4, width=4).eval()
    assert model(torch.zeros(1, 3, *size)).shape == (1, 4, *size)


def test_an_answer_depends_on_the_picture_around_it() -> None:
    torch.manual_seed(0)
    model = UNet(1, 2, width=4).double().eval()
    x = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    moved = x.clone()
    moved[..., 20, 20] = 10.0
    changed = (model(x) - model(moved)).abs().amax(1)[0] > 0
    assert changed[12, 12]
    assert changed[20, 20]


def test_networks_of_smp_by_name() -> None:
    pytest.importorskip("segmentation_models_pytorch")
    model = build_network("smp:Unet:resnet18", 1, 3).eval()
    assert model(torch.zeros(1, 1, 40, 50)).shape == (1, 3, 40, 50)
    for wrong in ("smp:Unet", "smp:Unet:nosuch", "smp:Nosuch:resnet18"):
        with pytest.raises(InputError):
            build_network(wrong, 1, 3)


def test_what_is_refused() -> None:
    for name, options in (("unett", {}), ("unet", {"depth": 3}), ("unet", {"width": 0})):
        with pytest.raises(InputError):
            build_network(name, 1, 3, **options)
