"""The picture of a sentence: every word, its given entities, the judged token framed, whatever the words are."""

from xml.etree import ElementTree

import numpy as np

from labelnoise.core.issues import IssueTable
from labelnoise.text.dataset import from_sentences
from labelnoise.text.domain import TextDomain
from labelnoise.text.review import AROUND, sentence_svg, token_cards

EVIL = '<script>"&\x01'


def words_of(svg):
    return [element.text for element in ElementTree.fromstring(svg).findall("{*}text")]


def test_every_word_and_every_given_tag_is_there():
    data = from_sentences([["Ada", EVIL, "York"]], [["B-PER", "O", "B-LOC"]], name="d")
    assert words_of(sentence_svg(data, 1)) == ["B-PER", "Ada", '<script>"&\ufffd', "B-LOC", "York"]
    frames = [r for r in ElementTree.fromstring(sentence_svg(data, 1)).findall("{*}rect") if r.get("stroke")]
    assert len(frames) == 1


def test_long_sentences_are_cut_around_the_token_and_wrap():
    data = from_sentences([[f"word{i}" for i in range(200)]], [["O"] * 200], name="d")
    words = words_of(sentence_svg(data, 100))
    assert words[0] == words[-1] == "…"
    assert len(words) == 2 * AROUND + 1 + 2
    root = ElementTree.fromstring(sentence_svg(data, 100))
    assert max(float(e.get("x")) for e in root.findall("{*}text")) < 720


def test_cards_tell_how_the_word_is_tagged_elsewhere():
    data = from_sentences(
        [["Rome", "fell"], ["rome"], ["Rome"]], [["B-LOC", "O"], ["O"], ["B-LOC"]], name="d"
    )
    card = token_cards(data, [2])[0]
    assert card.title == "rome"
    assert ("token", f"{data.ids[2]}, rome") in card.facts
    assert ("elsewhere the word is", "B-LOC 2") in card.facts
    assert TextDomain().review_cards(data, [0])[0].media


def test_titles_are_the_words_of_the_entity_given_or_suggested():
    data = from_sentences(
        [["New", "York", "saw", "Ada", "Bly"]], [["B-LOC", "I-LOC", "O", "O", "O"]], name="d"
    )
    assert [card.title for card in token_cards(data, [1, 3])] == ["New York", "Ada"]
    suggested = np.array([1, 0, 0, 3, 4])
    titles = [card.title for card in token_cards(data, [1, 2, 3, 4], suggested)]
    assert titles == ["New York", "saw", "Ada Bly", "Ada Bly"]


def test_the_page_shows_entities_and_never_suggests_what_is_given():
    domain = TextDomain()
    data = domain.load("news")
    for method, top in (("confident-learning", None), ("calibrated", None), ("calibrated", 2500)):
        found = domain.detectors[method].load()(
            data, 0, **({"resamples": 2} if method == "calibrated" else {})
        )
        flagged = np.asarray(found.flagged)
        assert flagged.any()
        assert (found.suggested != data.given)[flagged].all()
        if top:
            flagged = np.zeros(data.n_units, dtype=bool)
            flagged[np.argsort(found.quality, kind="stable")[:top]] = True
        table = IssueTable.from_detection(
            data, found, flagged, decision="d", domain="text", unit_name="token"
        )
        columns = table.columns
        assert (columns["given"] != columns["suggested"]).all()
        assert bool((columns["suggested"] == "").any()) == bool(top)
        cards = domain.table_cards(data, table, table)
        index = columns["index"]
        assert all(data.tokens[i] in card.title.split() for i, card in zip(index, cards))
        begin = np.char.startswith(columns["given"].astype(str), "B-")
        longer = [
            card
            for card, one, i in zip(cards, begin, index)
            if one and data.given[i + 1] == data.given[i] + 1
        ]
        assert longer
        assert all(" " in card.title for card in longer)
