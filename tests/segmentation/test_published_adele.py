"""ADELE on chest X-rays, made small."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelnoise.core.reproduce import experiments
from labelnoise.core.validation import InputError
from labelnoise.segmentation.published_adele import adele_jsrt


def test_one_short_run_of_each_setting(real_data: Path) -> None:
    experiment = experiments()["liu2022_adele_jsrt"]
    options = {**experiment.options, **experiment.smoke}
    rows = [adele_jsrt(setting.values, options, 0) for setting in experiment.settings]
    assert [row["label_mean_iou"] < 0.95 for row in rows] == [True, False, True]
    assert rows[1]["label_mean_iou"] == 1.0
    assert all(0 <= row["mean_iou"] <= 1 for row in rows)


def test_without_the_images_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELNOISE_DATA", raising=False)
    experiment = experiments()["liu2022_adele_jsrt"]
    with pytest.raises(InputError, match="LABELNOISE_DATA"):
        adele_jsrt(experiment.settings[0].values, experiment.options, 0)
