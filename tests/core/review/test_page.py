"""The review page in a real browser: decisions by key, kept over a reload, exported; no name in the data does anything."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import Detection
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.apply import apply_decisions
from labelnoise.core.review.cards import Card, Media, svg_picture
from labelnoise.core.review.decisions import Decisions
from labelnoise.core.review.page import render_page, write_page
from labelnoise.core.validation import InputError
from tests.core.review.browser import Browser, find_chromium

EVIL = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
CLASSES = ("cat", "dog", EVIL)


def zoo() -> tuple[Dataset, IssueTable, list[Card]]:
    given = np.array([0, 1, 2, 0, 1, 0])
    data = Dataset(
        name=f"zoo {EVIL}",
        given=given,
        class_names=CLASSES,
        unit_ids=np.array(["a", EVIL, "c", "d", "e\u2028", "f"], dtype=object),
    )
    wrong = np.array([0.99, 0.9, 0.8, 0.7, 0.6, 0.1])
    found = Detection(
        method="m",
        quality=1 - wrong,
        flagged=wrong > 0.5,
        suggested=(given + 1) % 3,
        confidence=wrong,
        p_wrong=wrong,
        evidence={"why": np.array([EVIL] * 6, dtype=object)},
        warnings=(EVIL,),
    )
    table = IssueTable.from_detection(data, found, found.flagged, decision="d", domain="pets")
    picture = svg_picture('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', EVIL)
    cards = [Card(f"unit {EVIL}", [(EVIL, EVIL)], [picture]) for _ in range(len(table))]
    return data, table, cards


def test_nothing_of_the_data_is_markup() -> None:
    _, table, cards = zoo()
    page = render_page(table, cards)
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "<img" not in page
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\';' in page
    assert not re.search(r"(src|href)=[\"']https?:", page)


def test_cards_must_fit_and_media_must_be_local() -> None:
    _, table, cards = zoo()
    with pytest.raises(InputError, match="one card per row"):
        render_page(table, cards[:-1])
    for source in ("https://a.b/c.png", "javascript:alert(1)", "//a.b/c", "data:text/html,hi", "HTTP://x"):
        with pytest.raises(InputError, match="on a network or of an unknown kind"):
            Media("image", source, "")
    assert Media("audio", "clips/a b: c.wav", "").src


async def drive(browser: Browser, address: str, folder: Path) -> None:
    await browser.open(address)
    assert await browser.evaluate("document.querySelectorAll('#list li').length") == 5
    await browser.press("a")  # row 0: cat -> dog
    await browser.press("r")  # row 1 stays
    assert "2 of 5 decided" in await browser.evaluate("document.getElementById('done').textContent")
    await browser.evaluate("document.getElementById('find').focus()")
    await browser.press("a")  # typed into a field, decides nothing
    assert "2 of 5 decided" in await browser.evaluate("document.getElementById('done').textContent")
    await browser.evaluate(
        "document.getElementById('find').value=''; document.getElementById('find').blur();"
        "document.getElementById('find').dispatchEvent(new Event('input'))"
    )
    await browser.open(address)  # what was decided is still there
    assert "2 of 5 decided" in await browser.evaluate("document.getElementById('done').textContent")
    await browser.evaluate(
        "(() => { const s = document.getElementById('other'); s.value = '1'; s.dispatchEvent(new Event('change')); })()"
    )  # row 2: the evil class -> dog, a third label
    await browser.press("s")
    await browser.press("u")  # the skip is taken back
    assert "3 of 5 decided" in await browser.evaluate("document.getElementById('done').textContent")
    await browser.press("e")
    for _ in range(200):
        if (folder / "decisions.json").exists():
            break
        time.sleep(0.05)
    assert await browser.evaluate("window.hacked === undefined")
    assert await browser.evaluate("document.querySelectorAll('img').length") <= 1
    assert browser.complaints == []


def test_a_person_decides_reloads_and_exports(tmp_path: Path) -> None:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium here")
    data, table, cards = zoo()
    write_page(table, cards, tmp_path / "review it.html")

    async def run() -> None:
        async with Browser(chromium, tmp_path) as browser:
            await drive(browser, (tmp_path / "review it.html").as_uri(), tmp_path)

    asyncio.run(run())
    made = Decisions.load(tmp_path / "decisions.json")
    assert [(d.index, d.verdict, d.label) for d in made.decisions] == [
        (0, "accept", "dog"),
        (1, "reject", "dog"),
        (2, "other", "dog"),
    ]
    corrected, record = apply_decisions(data, made, domain="pets")
    assert corrected.given.tolist() == [1, 1, 1, 0, 1, 0]
    assert len(record.changes) == 2
