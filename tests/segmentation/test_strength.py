from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.strength import searched


def blank(n_images: int, side: int = 20) -> MaskDataset:
    return MaskDataset.from_masks([np.zeros((side, side), dtype=np.int8)] * n_images, ["background", "thing"])


class Growing:
    """Pixels turn wrong one after the other as the strength grows; counts the images drawn."""

    def __init__(self, data: MaskDataset, power: float = 1.0) -> None:
        self.data, self.power, self.drawn = data, power, 0

    def __call__(self, image: int, strength: float) -> tuple[np.ndarray, None]:
        self.drawn += 1
        mask = self.data.mask(image).copy()
        order = np.random.default_rng(image).random(mask.shape)
        mask[order < (0.7 * strength) ** self.power] = 1
        return mask, None


@pytest.mark.parametrize("n_images", [3, 64, 65, 200])
@pytest.mark.parametrize("power", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3])
def test_the_share_asked_for_is_met_closely(n_images, power, rate):
    data = blank(n_images)
    made = searched(data, rate, Growing(data, power), 1.0)
    # With few pixels not every share exists.
    assert abs(made.rate - rate) <= 0.03 * rate + 1 / data.n_units
    assert made.changed.sum() == round(made.rate * data.n_units)


def test_many_images_are_drawn_a_few_times_only():
    data = blank(400)
    change = Growing(data, 2.0)
    made = searched(data, 0.05, change, 1.0)
    assert abs(made.rate - 0.05) < 0.0006
    assert change.drawn < 5 * 400


def test_fewer_pixels_than_one_are_refused():
    data = blank(3)
    with pytest.raises(InputError, match=r"0\.12 of the pixels of"):
        searched(data, 1e-4, Growing(data), 1.0)


@pytest.mark.parametrize("n_images", [3, 200])
def test_what_cannot_be_reached_is_refused(n_images):
    data = blank(n_images)
    with pytest.raises(InputError, match="at most"):
        searched(data, 0.9, Growing(data), 1.0)
    assert searched(data, 0.0, Growing(data), 1.0).rate == 0
    assert searched(data, 0.7, Growing(data), 1.0).severity > 0.95


@pytest.mark.parametrize("n_images", [5, 150])
def test_whole_strengths_stay_whole(n_images):
    data = blank(n_images)
    change = Growing(data)
    made = searched(data, 0.3, lambda i, s: change(i, s / 12), 12, whole=True)
    assert made.severity == round(made.severity)
    assert abs(made.rate - 0.3) < 0.03


def test_pixels_without_a_label_do_not_count():
    data = blank(4)
    given = data.given.copy()
    given[: len(given) // 2] = -1
    half = replace(data, given=given)

    def change(i, strength):
        mask = half.mask(i).copy()
        mask[(np.random.default_rng(i).random(mask.shape) < strength) & (mask >= 0)] = 1
        return mask, None

    assert abs(searched(half, 0.2, change, 1.0).rate - 0.2) < 0.01


def test_a_noise_without_a_step_near_the_rate_is_refused() -> None:
    data = MaskDataset.from_masks([np.zeros((10, 10), dtype=int)], ("no", "yes"))

    def at_once(image: int, strength: float) -> tuple[np.ndarray, None]:
        made = data.mask(image).copy()
        made[0] = 1  # a tenth of the pixels, however weak
        return made, None

    assert searched(data, 0.08, at_once, 1.0).rate == 0.1
    with pytest.raises(
        InputError, match="rate is 0.01, and the nearest share that this noise gives on .* is 0.1"
    ):
        searched(data, 0.01, at_once, 1.0)
