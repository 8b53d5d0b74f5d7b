"""Makes the pictures of the gallery from the data that ship with the package: ``python docs/make_gallery.py``.

Needs Chromium (``--browser`` names it) and Pillow; about two minutes. Name pictures to make only those.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from labelnoise.core.cli import main as labelnoise

OUT = Path(__file__).resolve().parent / "gallery"
#: No picture may be heavier; fewer colours are tried until it is not.
LARGEST = 150_000
COLOURS = (256, 128, 64, 48, 32)
#: One small grid: the report's first screen, and its curves.
GRID = """
name = "digits"
seeds = 3
[[block]]
domain = "graph"
datasets = ["digits"]
noise = [{ kind = "symmetric", rates = [0.05, 0.1, 0.2, 0.3, 0.4] }, { kind = "pair", rates = [0.05, 0.1, 0.2, 0.3, 0.4] }]
methods = ["graphcleaner", "votes", "sgc", "confident-learning"]
"""
#: Kinds of mask noise: the name, the rate asked for, what it imitates.
MASK_NOISE = (
    ("relative", 0.05, "coarse, shaky, too wide or tight"),
    ("displacement", 0.05, "displaced by a smooth field"),
    ("organ-scale", 0.05, "all too large or too small"),
    ("markov", 0.05, "boundaries that wander"),
    ("polygons", 0.03, "coarse polygons"),
    ("objects", 0.1, "wrong, missed, merged, split"),
)
PALETTE = np.array(
    [[236, 238, 240], [0, 96, 168], [196, 73, 0], [0, 128, 92], [163, 70, 139]], dtype=np.uint8
)


def save(picture: Image.Image, name: str) -> None:
    """Write with as many colours as the limit on its size allows."""
    picture = picture.convert("RGB")
    for colours in COLOURS:
        buffer = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if len(buffer.getvalue()) < LARGEST:
            break
    else:
        raise SystemExit(f"{name} is heavier than {LARGEST:,} bytes with {COLOURS[-1]} colours.")
    (OUT / f"{name}.png").write_bytes(buffer.getvalue())
    print(
        f"{name}.png {picture.width} x {picture.height}, {len(buffer.getvalue()):,} bytes, {colours} colours"
    )


def run(command: str) -> None:
    """A ``labelnoise`` command that has to end well."""
    if labelnoise(command.split()):
        raise SystemExit(f"labelnoise {command} failed")


def screenshot(browser: str, page: Path, width: int, height: int, *, dark: bool = False) -> Image.Image:
    """What a browser shows of a page in a window of this size, without the empty strip at its end."""
    target = page.with_suffix(f".{dark}.png")
    with tempfile.TemporaryDirectory() as home:
        words = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"]
        words += [f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--virtual-time-budget=4000"]
        words += [f"--window-size={width},{height}", f"--screenshot={target}", page.resolve().as_uri()]
        subprocess.run(words, check=True, capture_output=True, env={**os.environ, "HOME": home}, timeout=120)
    picture = Image.open(target).convert("RGB")
    pixels = np.asarray(picture).astype(int)
    used = np.flatnonzero(np.abs(pixels - pixels[-1, 0]).sum(axis=2).max(axis=1) > 12)
    return picture.crop((0, 0, width, min(height, int(used[-1]) + 20)))


def review(modality: str, browser: str, options: str = "") -> None:
    """The first card of the review page."""
    run(f"{modality} detect {options} --out issues.parquet --show 0")
    run(f"{modality} review issues.parquet --limit 60 --out review.html")
    save(screenshot(browser, Path("review.html"), 1180, 880), f"review-{modality}")


def review_segmentation(browser: str) -> None:
    """Probabilities first, as the tour does."""
    from labelnoise.segmentation.data import load_masks
    from labelnoise.segmentation.pixel_detectors import out_of_fold_probs

    np.save("probs.npy", out_of_fold_probs(load_masks("scenes"), 0, folds=2, epochs=25))
    review("segmentation", browser, "scenes --set probs=probs.npy")


def report(browser: str) -> None:
    """The report's first screen in light and dark, and its curves over the noise rate."""
    from labelnoise.core.bench.store import Store
    from labelnoise.core.bench.summary import summarise
    from labelnoise.core.report.figures import rate_figure
    from labelnoise.core.report.svg import swatch

    Path("grid.toml").write_text(GRID, encoding="utf-8")
    run("bench --config grid.toml --out results --workers 2")
    run("report results --out report.html")
    for name, dark in (("report-light", False), ("report-dark", True)):
        save(screenshot(browser, Path("report.html"), 1180, 1150, dark=dark), name)
    (domain,) = summarise(Store(Path("results")))["domains"]
    css = Path(sys.modules["labelnoise.core.report"].__file__ or "").parent / "templates" / "report.css"
    for metric, label in (("f1", "F1"),):
        figure = rate_figure(domain, metric, label)
        assert figure is not None
        real = [method["label"] for method in domain["methods"] if not method["trivial"]]
        legend = "".join(
            f'<span style="margin-right:1.5em">{swatch(real.index(method))} {method}</span>'
            for method in figure.methods
        )
        page = Path(f"rates-{metric}.html")
        page.write_text(
            f"<!doctype html><meta charset=utf-8><style>{css.read_text(encoding='utf-8')}\n"
            "body{margin:0;padding:16px;max-width:none}svg.axes,.panels svg{width:460px;height:auto}</style>"
            f'<main><figure style="margin:0"><p>{legend}</p><div class="panels" style="display:flex;gap:16px">'
            f"{''.join(figure.panels)}</div></figure></main>",
            encoding="utf-8",
        )
        for name, dark in (("rates-light", False), ("rates-dark", True)):
            save(screenshot(browser, page, 990, 460, dark=dark), name)


def noise_masks() -> None:
    """One scene, its mask, and what each kind of noise makes of it."""
    from labelnoise.core.domain import get_domain
    from labelnoise.segmentation.embedded import scenes

    domain, data = get_domain("segmentation"), scenes(12, 128, wrong_objects=0.0)
    index, side, gap, head = 4, 264, 12, 46
    panels = [(np.asarray(data.images[index]), "image", "")]
    clean = data.given[data.window(index)].reshape(data.size(index))
    panels.append((PALETTE[clean], "mask", "as it should be"))
    for kind, rate, what in MASK_NOISE:
        noisy, _ = domain.corrupt(data, kind=kind, rate=rate, seed=1)
        mask = noisy.given[data.window(index)].reshape(data.size(index))
        shown = PALETTE[np.maximum(mask, 0)]
        changed = mask != clean
        # What became wrong is dark; the rest keeps its colour.
        shown = np.where(changed[..., None], (shown * 0.55).astype(np.uint8), shown)
        panels.append((shown, kind, what))
    columns = 4
    rows = -(-len(panels) // columns)
    canvas = Image.new("RGB", (columns * (side + gap) + gap, rows * (side + head + gap) + gap), "white")
    draw = ImageDraw.Draw(canvas)
    bold, plain = ImageFont.load_default(17), ImageFont.load_default(14)
    for number, (pixels, title, what) in enumerate(panels):
        x = gap + (number % columns) * (side + gap)
        y = gap + (number // columns) * (side + head + gap)
        draw.text((x, y), title, fill="#1a1c20", font=bold)
        draw.text((x, y + 22), what, fill="#5a636c", font=plain)
        canvas.paste(Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST), (x, y + head))
    save(canvas, "noise-masks")


def make(browser: str) -> dict[str, Callable[[], None]]:
    """What can be made, by name."""
    return {
        "review-graph": lambda: review("graph", browser),
        "review-text": lambda: review("text", browser),
        "review-audio": lambda: review("audio", browser),
        "review-segmentation": lambda: review_segmentation(browser),
        "report": lambda: report(browser),
        "noise-masks": noise_masks,
    }


def main() -> None:
    """Make the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    asked = parser.parse_args()
    recipes = make(asked.browser)
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in asked.names or recipes:
            recipes[name]()


if __name__ == "__main__":
    main()
