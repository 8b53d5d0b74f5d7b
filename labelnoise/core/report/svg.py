"""Small figures as SVG text: two axes, lines, marks, cells; colours come from the page's style sheet.

Nothing is rendered here, so a figure follows the reader's light, dark or printed page, its text stays text,
and equal input gives equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

__all__ = ["N_COLOURS", "Axes", "dash_of", "linear_ticks", "log_ticks", "marker", "number", "swatch"]

#: Series colours of the style sheet; further series repeat them with another marker and dash.
N_COLOURS = 8
_MARKERS = ("circle", "square", "up", "diamond", "down", "plus", "cross")
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "4 2", "1 3", "10 4")


def number(value: float, digits: int = 2) -> str:
    """A coordinate without superfluous digits.

    Examples
    --------
    >>> number(3.0), number(2.456)
    ('3', '2.46')
    """
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most ``most`` of them and nearly as many.

    Examples
    --------
    >>> linear_ticks(0.4, 1.0), linear_ticks(0.1, 1.0)
    ([0.4, 0.6, 0.8, 1.0], [0.2, 0.4, 0.6, 0.8, 1.0])
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (power, 2 * power, 5 * power, 10 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [round(index * step, 10) for index in range(first, last + 1)]


def log_ticks(low: float, high: float, base: float = 10.0) -> list[float]:
    """Powers of ``base`` from ``low`` to ``high``, with twice and five times those of ten if they are few.

    Examples
    --------
    >>> log_ticks(0.02, 3)
    [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    """
    first, last = math.floor(math.log(low, base)), math.ceil(math.log(high, base))
    factors = (1, 2, 5) if base == 10 and math.log10(high / low) < 3 else (1,)
    ticks = [factor * base**power for power in range(first, last + 1) for factor in factors]
    return [float(f"{tick:.6g}") for tick in ticks if low * 0.999 <= tick <= high * 1.001]


def dash_of(series: int) -> str:
    """Dash pattern of a series, told apart without colour."""
    return _DASHES[series % len(_DASHES)]


def marker(x: float, y: float, series: int, *, size: float = 4.0, title: str = "") -> str:
    """A filled mark whose shape and colour follow the series number."""
    shape = _MARKERS[series % len(_MARKERS)]
    s, cx, cy = size, x, y
    tip = f"<title>{escape(title)}</title>" if title else ""
    cls = f'class="mark s{series % N_COLOURS}"'
    if shape == "circle":
        return f'<circle {cls} cx="{number(cx)}" cy="{number(cy)}" r="{number(s)}">{tip}</circle>'
    outlines: dict[str, Sequence[tuple[float, float]]] = {
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "up": ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
        "down": ((0, 1.2), (1.1, -0.8), (-1.1, -0.8)),
        "diamond": ((0, -1.3), (1.1, 0), (0, 1.3), (-1.1, 0)),
        "plus": (
            *((-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4)),
            *((0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4)),
        ),
        "cross": (
            *((-1.1, -0.6), (-0.6, -1.1), (0, -0.5), (0.6, -1.1), (1.1, -0.6), (0.5, 0)),
            *((1.1, 0.6), (0.6, 1.1), (0, 0.5), (-0.6, 1.1), (-1.1, 0.6), (-0.5, 0)),
        ),
    }
    points = " ".join(f"{number(cx + s * dx)},{number(cy + s * dy)}" for dx, dy in outlines[shape])
    return f'<polygon {cls} points="{points}">{tip}</polygon>'


def swatch(series: int) -> str:
    """The legend's picture of a series: its line and its mark."""
    return (
        '<svg class="swatch" width="34" height="14" viewBox="0 0 34 14" aria-hidden="true">'
        f'<path class="line s{series % N_COLOURS}" stroke-dasharray="{dash_of(series)}" d="M1 7H33"/>'
        f"{marker(17, 7, series)}</svg>"
    )


class Axes:
    """A pair of axes in a fixed frame, filled piece by piece.

    Parameters
    ----------
    width, height : float
        Size in pixels at which text has its natural size.
    x, y : (float, float)
        Ends of the axes, in data.
    log_x, log_y : bool
    left, right, top, bottom : float
        Margins in pixels, for tick labels and axis labels.
    """

    def __init__(
        self,
        width: float,
        height: float,
        *,
        x: tuple[float, float],
        y: tuple[float, float],
        log_x: bool = False,
        log_y: bool = False,
        left: float = 50,
        right: float = 10,
        top: float = 24,
        bottom: float = 40,
    ) -> None:
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = left, right, top, bottom
        self._x, self._y = x, y
        self._log_x, self._log_y = log_x, log_y
        self._parts: list[str] = []

    @staticmethod
    def _share(value: float, ends: tuple[float, float], log: bool) -> float:
        low, high = ends
        if log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        return 0.5 if high == low else min(1.02, max(-0.02, (value - low) / (high - low)))

    def px(self, value: float) -> float:
        """Horizontal place of a value; values outside of the axis stop at its ends."""
        inner = self.width - self.left - self.right
        return self.left + inner * self._share(value, self._x, self._log_x)

    def py(self, value: float) -> float:
        """Vertical place of a value."""
        inner = self.height - self.top - self.bottom
        return self.height - self.bottom - inner * self._share(value, self._y, self._log_y)

    def add(self, part: str) -> None:
        """Put a piece of SVG on top of what is there."""
        self._parts.append(part)

    def text(
        self, x: float, y: float, text: str, *, anchor: str = "middle", cls: str = "tick", turn: int = 0
    ) -> None:
        """Put text at a place in pixels, turned by so many degrees."""
        place = f'x="{number(x)}" y="{number(y)}" text-anchor="{anchor}"'
        turned = f' transform="rotate({turn} {number(x)} {number(y)})"' if turn else ""
        self.add(f'<text class="{cls}" {place}{turned}>{escape(text)}</text>')

    def title(self, text: str) -> None:
        """Name the panel, above it."""
        self.text(self.left, 14, text, anchor="start", cls="panel")

    def x_axis(self, ticks: Sequence[float], labels: Sequence[str], name: str) -> None:
        """Ticks with a light grid, and the axis' name with its unit."""
        base = self.height - self.bottom
        for tick, label in zip(ticks, labels):
            x = number(self.px(tick))
            self.add(f'<path class="grid" d="M{x} {number(self.top)}V{number(base)}"/>')
            self.text(self.px(tick), base + 14, label)
        self.add(
            f'<path class="axis" d="M{number(self.left)} {number(base)}H{number(self.width - self.right)}"/>'
        )
        self.text((self.left + self.width - self.right) / 2, self.height - 6, name, cls="name")

    def y_axis(self, ticks: Sequence[float], labels: Sequence[str], name: str) -> None:
        """Ticks with a light grid, and the axis' name turned by a right angle."""
        for tick, label in zip(ticks, labels):
            y = number(self.py(tick))
            self.add(f'<path class="grid" d="M{number(self.left)} {y}H{number(self.width - self.right)}"/>')
            self.text(self.left - 6, self.py(tick) + 3.5, label, anchor="end")
        base = self.height - self.bottom
        self.add(f'<path class="axis" d="M{number(self.left)} {number(self.top)}V{number(base)}"/>')
        self.text(12, (self.top + base) / 2, name, cls="name", turn=-90)

    def rectangle(self, x: float, y: float, size: float, shade: float, tip: str) -> None:
        """A square cell of a heat map, shaded from 0 to 1."""
        box = f'x="{number(x)}" y="{number(y)}" width="{number(size)}" height="{number(size)}"'
        title = f"<title>{escape(tip)}</title>"
        self.add(f'<rect class="heat" {box} fill-opacity="{shade:.3f}">{title}</rect>')

    def path(self, points: Sequence[tuple[float, float]], *, cls: str, dash: str = "") -> None:
        """A line through points in pixels."""
        if len(points) > 1:
            d = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
            dashed = f' stroke-dasharray="{dash}"' if dash else ""
            self.add(f'<path class="{cls}"{dashed} d="{d}"/>')

    def render(self, label: str) -> str:
        """The figure; ``label`` is what a screen reader says."""
        w, h = number(self.width), number(self.height)
        frame = f'viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{escape(label)}"'
        return f"<svg {frame}>{''.join(self._parts)}</svg>"
