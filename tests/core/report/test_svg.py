import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from labelnoise.core.report.svg import (
    N_COLOURS,
    Axes,
    dash_of,
    linear_ticks,
    log_ticks,
    marker,
    number,
    swatch,
)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.4, 1), (0.93, 1), (-3, 17), (0, 1e-4), (1e5, 3e5)])
def test_linear_ticks_are_few_even_and_inside(low, high):
    ticks = linear_ticks(low, high)
    assert 2 <= len(ticks) <= 6
    assert low <= ticks[0] < ticks[-1] <= high
    gaps = [b - a for a, b in pairwise(ticks)]
    assert gaps == pytest.approx([gaps[0]] * len(gaps))


def test_log_ticks_are_inside_and_grow():
    for low, high in [(0.001, 1000), (0.3, 0.9), (1, 8), (0.02, 3)]:
        ticks = log_ticks(low, high)
        assert all(low <= tick <= high for tick in ticks)
        assert ticks == sorted(set(ticks))
    assert log_ticks(0.001, 1000) == [10.0**power for power in range(-3, 4)]


def test_axes_map_ends_to_margins_and_clip_beyond():
    axes = Axes(200, 100, x=(1, 100), y=(0, 2), log_x=True, left=20, right=10, top=5, bottom=15)
    assert axes.px(1) == 20
    assert axes.px(100) == 190
    assert axes.px(10) == pytest.approx(105)
    assert axes.py(0) == 85
    assert axes.py(2) == 5
    assert axes.px(1e9) <= 200
    assert axes.py(1e9) >= 0
    assert Axes(200, 100, x=(3, 3), y=(0, 1)).px(3) == pytest.approx((50 + 190) / 2)


def test_series_are_told_apart_without_colour_and_never_twice_the_same():
    looks = {
        (series % N_COLOURS, marker(0, 0, series).split()[0] + marker(0, 0, series)[-40:])
        for series in range(56)
    }
    assert len(looks) == 56
    assert len({dash_of(series) for series in range(7)}) == 7


def test_text_and_tips_are_escaped():
    axes = Axes(100, 100, x=(0, 1), y=(0, 1))
    axes.title("<a> & b")
    axes.add(marker(1, 1, 0, title="<x>"))
    axes.rectangle(0, 0, 5, 0.5, "<y>")
    root = ElementTree.fromstring(axes.render('"quoted" <label>'))
    assert root.get("aria-label") == '"quoted" <label>'
    assert {"".join(node.itertext()) for node in root.iter("title")} == {"<x>", "<y>"}


def test_swatches_parse_and_numbers_are_short():
    for series in range(10):
        ElementTree.fromstring(swatch(series))
    assert number(1.0) == "1"
    assert number(-0.25) == "-0.25"
    assert number(math.pi) == "3.14"
