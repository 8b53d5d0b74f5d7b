"""The picture of a sentence: every word, its given entities, the judged token framed, whatever the words are."""

from xml.etree import ElementTree

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
    assert ("elsewhere the word is", "B-LOC 2") in card.facts
    assert TextDomain().review_cards(data, [0])[0].media
