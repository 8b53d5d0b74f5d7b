"""ADELE: when it corrects, and what."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.validation import InputError
from labelnoise.segmentation.adele import (
    Adele,
    consistency,
    corrected_image,
    corrected_pixels,
    fit_curve,
    onset_of,
    train_adele,
)
from labelnoise.segmentation.embedded import scenes


@pytest.mark.parametrize(("a", "b", "c"), [(0.9, 1.0, 10.0), (0.6, 0.5, 2.0), (1.0, 0.8, 5.0)])
def test_a_curve_of_the_family_is_found_again(a: float, b: float, c: float) -> None:
    x = np.linspace(0, 40, 40)
    assert fit_curve(a * (1 - np.exp(-(x**b) / c))) == pytest.approx((a, b, c), rel=0.01)


def test_the_onset_is_where_the_slope_has_lost_nine_tenths() -> None:
    # g' = a/c exp(-x/c): a tenth of its value at 1 is reached c ln 10 later.
    x = np.linspace(0, 100, 100)
    for c in (4.0, 10.0):
        onset = onset_of(0.9 * (1 - np.exp(-x / c)), jump=0.01)
        assert onset == pytest.approx(1 + c * np.log(10), abs=4)


def test_a_flat_start_delays_the_onset_by_its_length() -> None:
    x = np.linspace(0, 60, 60)
    rise = 0.9 * (1 - np.exp(-x / 5))
    early, late = onset_of(rise), onset_of(np.concatenate([np.zeros(15), rise]))
    assert early is not None
    assert late is not None
    assert 14 <= late - early <= 16


def test_both_corrections_leave_alone_what_they_must() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 3, 400)
    probs = rng.dirichlet(np.full(5, 0.1), 400)
    for made in (corrected_image(labels, probs, [1]), corrected_pixels(labels, probs, [1])):
        changed = made != labels
        assert changed.any()
        assert (made[labels == -1] == -1).all()
        assert set(made[changed]) <= {0, 1}
    segthor = corrected_image(labels, probs, [1])
    assert (segthor[labels == 2] == 2).all()
    voc = corrected_pixels(labels, probs, [1])
    assert (voc[labels == 2] != 2).any()
    assert (probs.max(axis=1)[voc != labels] > 0.8).all()
    # An image without a class that is due is left alone, as is a class that the image does not show.
    assert (corrected_image(np.where(labels == 1, 2, labels), probs, [1]) != 1).all()
    assert (corrected_image(labels, probs, [3]) == labels).all()


def test_a_correction_that_empties_the_image_is_dropped() -> None:
    labels = np.array([1] * 10 + [0] * 90)
    empty = np.tile([0.95, 0.05], (100, 1))
    assert (corrected_pixels(labels, empty, [1]) == labels).all()
    assert (corrected_image(labels, empty, [1]) == 0).all()


def test_consistency_is_zero_for_agreement_and_ignores_the_unsure() -> None:
    z = torch.tensor([[4.0, 0.0], [0.1, 0.0]])
    assert float(consistency([z, z])) == 0
    other = torch.tensor([[4.0, 0.0], [0.0, 0.1]])
    assert float(consistency([z, other])) == 0
    assert float(consistency([z, other], least=0.1)) > 0


@pytest.mark.parametrize("form", ["segthor", "voc"])
def test_training_corrects_and_resumes(form: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelnoise.segmentation import adele

    monkeypatch.setattr(adele, "onset_of", lambda curve, **_: 2 if len(curve) > 2 else None)
    options = {
        "form": form,
        "threshold": 0.21,
        "epochs": 4,
        "network_options": {"width": 4},
        "scales": [1, 0.7],
    }
    whole = train_adele(scenes(4, 24), 0, **options)
    assert sum(entry["corrected"] for entry in whole.history) > 0
    saved = train_adele(scenes(4, 24), 0, **options, folder=tmp_path)
    again = train_adele(scenes(4, 24), 0, **options, folder=tmp_path)
    assert (saved.probs == again.probs).all()
    assert (saved.probs == whole.probs).all()


def test_what_is_refused() -> None:
    for wrong in ({"form": "coco"}, {"ratio": 1.0}, {"threshold": 2.0}, {"every": 0}, {"scales": ()}):
        with pytest.raises(InputError):
            Adele(**wrong)
    with pytest.raises(InputError):
        fit_curve([])
    with pytest.raises(InputError, match="background"):
        train_adele(scenes(2, 24), 0, background=9, epochs=1)
