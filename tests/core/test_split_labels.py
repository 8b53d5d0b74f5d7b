import numpy as np
import pytest

from labelnoise.core.dataset import Dataset
from labelnoise.core.split_labels import checked_splits, labels_of_splits
from labelnoise.core.validation import InputError

TRAIN, REST = np.array([True, True, False, False]), np.array([False, False, True, True])


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"test": REST}, "'train' is needed"),
        ({}, "names none"),
        ({"train": TRAIN, "tset": REST}, "Did you mean 'test'"),
        ({"train": TRAIN[:3]}, "4 booleans, one per node"),
        ({"train": TRAIN.astype(int)}, "is int64"),
        ({"train": TRAIN, "test": TRAIN | REST}, r"shares 2 node\(s\)"),
    ],
)
def test_splits_that_are_none_are_refused(splits, message):
    with pytest.raises(InputError, match=message):
        checked_splits(splits, 4, "node")


def test_test_labels_are_true_and_validation_labels_as_asked():
    data = Dataset(
        name="mine", given=np.array([0, -1, 1, 1]), true=np.array([0, 0, 0, 1]), class_names=("a", "b")
    )
    masks = {"train": TRAIN, "validation": REST, "test": REST}
    noisy, clean = (labels_of_splits(data, masks, kind, "node") for kind in ("noisy", "clean"))
    assert noisy["train"].tolist() == clean["train"].tolist() == [0, -1, -1, -1]
    assert noisy["validation"].tolist() == [-1, -1, 1, 1]
    assert clean["validation"].tolist() == noisy["test"].tolist() == [-1, -1, 0, 1]


def test_clean_validation_needs_the_truth_and_training_a_label():
    data = Dataset(name="mine", given=np.array([-1, -1, 1, 1]), class_names=("a", "b"))
    with pytest.raises(InputError, match="use 'noisy'"):
        labels_of_splits(data, {"train": REST}, "clean", "node")
    with pytest.raises(InputError, match="No training node"):
        labels_of_splits(data, {"train": TRAIN}, "noisy", "node")
    with pytest.raises(InputError, match="kind of validation labels"):
        labels_of_splits(data, {"train": REST}, "dirty", "node")
