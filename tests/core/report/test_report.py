import copy
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import jsonschema
import pytest

from labelnoise.core.bench.grid import parse_grid
from labelnoise.core.bench.run import run_bench
from labelnoise.core.bench.store import Store
from labelnoise.core.bench.summary import summarise
from labelnoise.core.report import write_report
from labelnoise.core.report.html import render_html
from labelnoise.core.report.json import load_schema, render_json
from labelnoise.core.report.markdown import render_markdown
from labelnoise.core.validation import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    methods = ["strong", "sure", "weak", {"name": "strong", "options": {"softness": 1.5}}]
    rates = [0.1, 0.3]
    block = {"domain": "fake", "datasets": ["disc", "ring"], "methods": [*methods, "fails"]}
    noise = [{"kind": "symmetric", "rates": rates}, {"kind": "pair", "rates": rates}]
    own = {"domain": "fake", "datasets": ["planted"], "methods": methods, "noise": ["own"]}
    folder = tmp_path_factory.mktemp("store")
    run_bench(parse_grid({"name": "r", "seeds": 2, "block": [{**block, "noise": noise}, own]}), folder)
    return folder


@pytest.fixture(scope="module")
def summary(folder):
    return summarise(Store(folder))


@pytest.fixture(scope="module")
def page(summary):
    return render_html(summary, twin="report")


class Outline(HTMLParser):
    """Checks that every tag is closed where it should be, and collects what a reader relies on."""

    void = frozenset({"meta", "br", "link", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.text = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.void:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src"):
                self.links.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def outline(page):
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_three_files_are_written_and_the_same_every_time(folder, tmp_path):
    written = write_report(folder, tmp_path / "a" / "report.html")
    assert [path.name for path in written] == ["report.html", "report.json", "report.md"]
    first = [path.read_bytes() for path in written]
    again = write_report(folder, tmp_path / "b" / "report.html")
    assert [path.read_bytes() for path in again] == first
    assert len(list((tmp_path / "a").iterdir())) == 3
    # ... and in another process with another order of sets
    code = (
        "import sys; from pathlib import Path; from labelnoise.core.report import write_report;"
        "write_report(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "c" / "report.html")],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )
    assert [(tmp_path / "c" / path.name).read_bytes() for path in written] == first


def test_a_report_needs_a_store_and_an_html_name(folder, tmp_path):
    with pytest.raises(InputError, match="no benchmark results"):
        write_report(tmp_path, tmp_path / "r.html")
    with pytest.raises(InputError, match=r"ends in \.html"):
        write_report(folder, tmp_path / "r.pdf")


def test_the_json_follows_its_schema(summary):
    schema = load_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(render_json(summary)), schema)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.update(schema_version=1),
        lambda s: s.update(more=1),
        lambda s: s["header"].pop("seeds"),
        lambda s: s["domains"][0]["results"][0].update(mark="best"),
        lambda s: s["domains"][0]["results"][0]["metrics"]["auroc"].update(mean="0.9"),
        lambda s: s["failures"][0].update(status="ok"),
    ],
)
def test_the_schema_refuses_what_is_not_a_summary(summary, spoil):
    spoiled = copy.deepcopy(summary)
    spoil(spoiled)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spoiled, load_schema())


def test_the_page_stands_alone(outline, page):
    assert {tag for tag, _ in outline.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    outside = [link for link in outline.links if not link.startswith("#")]
    assert outside == ["report.json", "report.md"]
    assert "http" not in page
    assert "url(" not in page
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_every_link_has_a_target_and_ids_are_unique(outline):
    assert len(set(outline.ids)) == len(outline.ids)
    inside = {link[1:] for link in outline.links if link.startswith("#")}
    assert inside == set(outline.ids)


def test_tables_are_tables_with_heads_and_captions(outline):
    tags = [tag for tag, _ in outline.tags]
    assert tags.count("table") == tags.count("caption") == tags.count("thead") >= 8
    scopes = {attributes.get("scope") for tag, attributes in outline.tags if tag == "th"}
    assert scopes == {"row", "col"}


def test_figures_are_sound_svg_with_labels(page):
    figures = re.findall(r"<svg viewBox.*?</svg>", page, flags=re.S)
    assert len(figures) > 20
    for figure in figures:
        root = ElementTree.fromstring(figure)
        assert root.get("role") == "img"
        assert root.get("aria-label")
        texts = ["".join(node.itertext()) for node in root.iter("text")]
        assert sum(node.get("class") == "name" for node in root.iter("text")) >= 1, texts
        width, height = float(root.get("width")), float(root.get("height"))
        for node in root.iter():
            for key, limit in (("x", width), ("cx", width), ("y", height), ("cy", height)):
                if node.get(key):
                    assert 0 <= float(node.get(key)) <= limit
    assert "nan" not in "".join(figures).lower()


def test_each_figure_of_the_plan_is_there(outline):
    titles = " ".join(outline.text)
    for title in (
        "AUROC over the noise rate",
        "F1 over the noise rate",
        "Claimed against realised",
        "How many wrong labels are expected",
        "Estimated transition",
        "Cost and quality",
        "Ranks in AUROC",
    ):
        assert title in titles


def test_figures_name_their_panels(page):
    assert page.count('class="panel"') > 10
    assert ">disc, symmetric</text>" in page
    assert "Reliability, planted, own noise" in page


@pytest.mark.parametrize("form", [render_html, render_markdown])
def test_every_form_says_the_same_numbers(summary, form):
    text = form(summary)
    domain = summary["domains"][0]
    for row in domain["results"]:
        if row["metrics"]["auroc"]["mean"] is not None:
            assert f"{row['metrics']['auroc']['mean']:.3f}" in text
    for method in ("strong (softness=1.5)", "flag-nothing", "random", "oracle", "fails"):
        assert method in text
    assert "ZeroDivisionError: nothing to divide by" in text
    assert "fewer than 6 data sets (3): no conclusion over data sets" in text
    assert summary["header"]["config_hash"] in text
    for row in summary["header"]["data"]:
        assert row["hash"] in text


def test_what_others_wrote_is_escaped(summary):
    hostile = copy.deepcopy(summary)
    hostile["failures"][0]["error"] = "<script>alert(1)</script> | a * b"
    hostile["domains"][0]["settings"][0]["class_names"] = ["<b>", "&", "'", '"']
    hostile["domains"][0]["methods"][0]["summary"] = "</table><script>"
    page = render_html(hostile)
    assert "<script" not in page
    parser = Outline()
    parser.feed(page)
    assert parser.open == []
    text = render_markdown(hostile)
    assert "\\<script>alert(1)\\</script> \\| a \\* b" in text


def test_markdown_tables_have_equal_columns(summary):
    lines = [line for line in render_markdown(summary).splitlines() if line.startswith("|")]
    blocks, width = 0, None
    for line in lines:
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        if set(line) <= set("|-: "):
            assert cells == width
            blocks += 1
        width = cells
    assert blocks >= 8


def test_an_all_failed_store_still_gives_a_report(tmp_path):
    block = {"domain": "fake", "datasets": ["gone"], "noise": ["own"], "methods": ["strong"]}
    run_bench(parse_grid({"name": "x", "seeds": 1, "block": [block]}), tmp_path)
    written = write_report(tmp_path, tmp_path / "r.html")
    assert "the file went away" in written[0].read_text()
    assert "No method finished a cell." in written[0].read_text()
    jsonschema.validate(json.loads(written[1].read_text()), load_schema())


def test_one_seed_and_one_method_give_no_interval_and_no_rank(tmp_path):
    block = {"domain": "fake", "datasets": ["planted"], "noise": ["own"], "methods": ["strong"]}
    run_bench(parse_grid({"name": "x", "seeds": 1, "block": [block]}), tmp_path)
    text = write_report(tmp_path, tmp_path / "r.html")[2].read_text()
    assert "±" not in text.partition("### Every data set")[0].replace("± is", "")
    assert "no ranks, fewer than two methods" in text
