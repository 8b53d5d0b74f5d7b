from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.domain import get_domain
from labelnoise.core.validation import InputError
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.repaint import follow_labels, objects_of_classes, repaint, share_of_wrong_objects
from labelnoise.segmentation.spatial_noise import relative


def clean(n_images: int = 12):
    data = scenes(n_images)
    return replace(data.with_labels(data.true, true=None), objects=data.true_objects, true_objects=None)


def test_painting_unchanged_objects_changes_nothing():
    data = clean(4)
    for i in range(4):
        objects = objects_of_classes(data.mask(i))
        assert np.array_equal(repaint(data.mask(i), objects, objects), data.mask(i))
        assert follow_labels(objects, data.mask(i), data.mask(i)) == objects


def test_parts_cover_the_foreground_once():
    mask = clean(1).mask(0)
    covered = np.zeros(mask.shape, dtype=int)
    for item in objects_of_classes(mask):
        covered[item.window] += item.mask
        assert (mask[item.window][item.mask] == item.label).all()
    assert np.array_equal(covered == 1, mask > 0)


def test_a_share_of_the_objects_is_hit():
    data = clean(40)
    shares = {}
    for share in (0.1, 1.0):
        made = relative(data, 0.01, 0, share=share)
        assert abs(made.rate - 0.01) < 0.0005
        shares[share] = share_of_wrong_objects(data.with_labels(made.labels, true=data.given))
    assert 0.05 < shares[0.1] < 0.2
    assert shares[1.0] > 0.7


def test_noise_like_the_data_s_own_has_its_pixels_and_its_objects():
    data = clean(40)
    made = relative(data, 0.01, 3, share=0.15)
    noisy = data.with_labels(made.labels, true=data.given)
    noisy = replace(noisy, true_objects=data.objects)
    alike, corruption = get_domain("segmentation").corrupt_alike(noisy, seed=0)
    assert abs(corruption.rate - made.rate) < 0.0005
    assert 0.5 < share_of_wrong_objects(alike) / share_of_wrong_objects(noisy) < 2


def test_more_wrong_pixels_than_few_objects_can_hold_are_spread():
    data = clean(12)
    wrong = data.given.copy()
    wrong[: len(wrong) // 20] = 0  # the background is where no object is: whole objects vanish there
    noisy = data.with_labels(wrong, true=data.given)
    _, corruption = get_domain("segmentation").corrupt_alike(noisy, seed=0)
    assert abs(corruption.rate - noisy.is_wrong.mean()) < 0.002


def test_without_truth_no_object_is_known_to_be_wrong():
    with pytest.raises(InputError, match="not known"):
        share_of_wrong_objects(replace(clean(2), true=None))
