"""The page as a file: complete, self-contained, within its limits, and closed to hostile data."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from seqlabel.errors import InputError, inert
from seqlabel.report.files import read_report, write_report
from seqlabel.report.html import utterances
from seqlabel.report.html.curves import read_curves
from seqlabel.report.html.page import write_html
from seqlabel.scoring import score, spread


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._inside: dict[str, str | None] | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "script":
            self._inside = dict(attributes)
            self.scripts.append((self._inside, ""))

    def handle_endtag(self, tag):
        if tag == "script":
            self._inside = None

    def handle_data(self, data):
        if self._inside is not None:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        else:
            self.text += data


def test_labels_stand_in_the_order_of_writing_in_scripts_that_run_to_the_left(tmp_path):
    """Columns go from left to right in the order of Unicode, each a box of its own."""
    report = score({"u": "שלום עולם"}, {"u": "שלים עולם"}, unit="character")
    write_html([report], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text("utf-8")
    columns = re.findall(r"<i(?: class=\"e\")?>(?:<s>)?(.)", text.partition("<article")[2])
    assert "".join(columns) == "שלום␣עולם"
    assert ".a i { display: inline-block" in text
    assert "dir=" not in text


@pytest.fixture(scope="module")
def page(systems, log, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_html(systems.reports[:1], path, systems.evidence[:1], [log], title="Toy phones")
    return path.read_text("utf-8")


def test_the_headline_says_what_the_number_rests_on(page, systems):
    report = systems.reports[0]
    text = " ".join(Elements(page).text.replace("\u00a0", " ").replace("\u202f", " ").split())
    assert f"{100 * report.rate:.1f} % PER" in text
    low, high = report.interval.low, report.interval.high
    assert f"95 % interval {100 * low:.1f}–{100 * high:.1f} %" in text
    assert f"bootstrap over {report.interval.units} speakers" in text
    assert f"{report.counts.reference_tokens} phones" in text
    assert report.protocol_note in text
    assert report.reference_fingerprint in text
    for expected in ("Toy phones", "protocol kaldi", "greedy", "exp/toy", "none skipped"):
        assert expected in text


def test_every_utterance_is_there_with_its_errors(page, systems):
    found = Elements(page)
    articles = {a["data-id"]: a for tag, a in found.elements if tag == "article"}
    assert set(articles) == {u.id for u in systems.reports[0].utterances}
    for one in systems.reports[0].utterances:
        assert int(articles[one.id]["data-errors"]) == one.counts.errors
    counts = systems.reports[0].counts
    for kind, number in (
        ("s", counts.substitutions),
        ("d", counts.deletions),
        ("i", counts.insertions),
    ):
        marked = sum(tag == "u" and a.get("class") == kind for tag, a in found.elements)
        assert marked == number + 1  # and the one that explains the mark


def test_nothing_is_loaded_and_one_script_may_run(page):
    found = Elements(page)
    for tag, attributes in found.elements:
        for name in ("src", "href", "action", "data", "poster"):
            address = attributes.get(name) or "#"
            assert address.startswith(("#", "data:")), (tag, address)
    assert not re.search(r"url\(|@import", page)
    programs = [text for attributes, text in found.scripts if "type" not in attributes]
    assert len(programs) == 1
    digest = base64.b64encode(hashlib.sha256(programs[0].encode()).digest()).decode()
    (policy,) = [a["content"] for tag, a in found.elements if tag == "meta" and "http-equiv" in a]
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")
    assert "http" not in policy


def test_data_for_the_script_is_json(page, systems):
    found = Elements(page)
    blocks = [text for attributes, text in found.scripts if "type" in attributes]
    parsed = [json.loads(block) for block in blocks]
    assert sum(block.get("kind") == "speech" for block in parsed) == 30
    assert {len(block["lanes"]) for block in parsed if "kind" in block} == {1}


def test_hostile_data_stays_text(hostile, attacks):
    page = hostile.read_text("utf-8")
    found = Elements(page)
    programs = [text for attributes, text in found.scripts if "type" not in attributes]
    assert len(programs) == 1
    assert "hacked" not in programs[0]
    for attributes, text in found.scripts:
        if "type" in attributes:
            assert attributes["type"] == "application/json"
            assert "<" not in text
            json.loads(text)
    for tag, attributes in found.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base"), tag
        assert not [name for name in attributes if name.startswith("on")]
    for attack in attacks:
        assert inert(attack) in found.text, attack
        assert not set(found.text) & set("\u202e\u2028")
    ids = [a["data-id"] for tag, a in found.elements if tag == "article"]
    assert set(ids) == {f"{inert(attack)} {n}" for n, attack in enumerate(attacks)}


def test_systems_are_compared(systems, log, tmp_path):
    write_html(systems.reports, tmp_path / "r.html", systems.evidence, [log, log])
    found = Elements((tmp_path / "r.html").read_text("utf-8"))
    for expected in ("MAPSSWE", "Sign test", "Paired bootstrap", "first · second"):
        assert expected in found.text
    links = [a["href"] for tag, a in found.elements if tag == "a" and a["href"].startswith("#u")]
    differing = {
        a.id
        for a, b in zip(*(report.utterances for report in systems.reports), strict=True)
        if a.counts.errors != b.counts.errors
    }
    places = {f"#{a['id']}": a["data-id"] for tag, a in found.elements if tag == "article"}
    assert {places[link] for link in links if link in places} == differing
    panels = [json.loads(text) for a, text in found.scripts if "type" in a and "kind" in text]
    assert {len(panel["lanes"]) for panel in panels} == {2}


def table(page):
    """The rows of the table of systems: the texts of their fields."""
    rows = page.partition('class="systems"')[2].partition("</table>")[0].split("<tr>")[1:]
    fields = [re.split(r"<t[hd][^>]*>", row)[1:] for row in rows]
    return [
        [Elements(field).text.strip().replace("\u00a0", " ") for field in row] for row in fields
    ]


def test_further_metrics_have_columns_of_their_own(tmp_path):
    """An earlier report has its totals; one without further metrics has a dash."""
    reference = {"u": "the cat", "v": "a dog"}
    first = score(reference, {"u": "the hat", "v": "a dog"}, "cer", name="one")
    write_report(first, tmp_path / "old")
    second = score(reference, reference, "cer", name="two")
    for earlier, rates in ((read_report(tmp_path / "old"), ["25.0 %", "0.0 %"]),
                           (replace(first, also=()), ["–", "0.0 %"])):  # fmt: skip
        write_html([earlier, second], tmp_path / "r.html")
        page = (tmp_path / "r.html").read_text("utf-8")
        assert page.count("2 utterances, too few to rely on") == 3  # each system, the difference
        head, *rows = table(page)
        assert head[1:5] == ["CER", "95 % interval", "WER", "Subst."]
        assert [row[1] for row in rows] == ["8.3 %", "0.0 %"]
        assert [row[3] for row in rows] == rates
        assert [row[4] for row in rows] == ["1", "0"]
        assert {len(row) for row in rows} == {len(head)}


def test_rates_without_reference_labels_are_undefined(tmp_path):
    empty = {"u": "", "v": ""}
    reports = [score(empty, {"u": said, "v": ""}, "cer", name=said) for said in ("a b", "a")]
    write_html(reports[:1], tmp_path / "r.html")
    page = Elements((tmp_path / "r.html").read_text("utf-8"))
    assert "CER undefined, the references are empty" in page.text
    assert page.text.count("undefined") == 3  # in the title, the headline, and of the WER
    assert "interval 0.0" not in page.text.partition("Confusions")[0]
    write_html(reports, tmp_path / "r.html")
    for row in table((tmp_path / "r.html").read_text("utf-8"))[1:]:
        assert row[1:4] == ["undefined", "–", "undefined"]


def test_runs_of_one_recipe_show_their_spread(systems, tmp_path):
    runs = spread([report.rate for report in systems.reports])
    write_html(systems.reports, tmp_path / "r.html", comparisons=(), runs=runs)
    text = Elements((tmp_path / "r.html").read_text("utf-8")).text.replace("\u00a0", " ")
    assert f"{100 * runs.mean:.1f} % mean PER" in " ".join(text.split())
    assert f"± {100 * runs.std:.2f} points over 2 runs" in text
    assert "Paired tests" not in text


def test_what_does_not_fit_is_lighter_and_said(systems, tmp_path, monkeypatch):
    monkeypatch.setattr(utterances, "ALIGNED_UTTERANCES", 12)
    monkeypatch.setattr(utterances, "LISTED_UTTERANCES", 10)
    monkeypatch.setattr(utterances, "EVIDENCE_UTTERANCES", 5)
    write_html(systems.reports[:1], tmp_path / "r.html", systems.evidence[:1])
    page = (tmp_path / "r.html").read_text("utf-8")
    found = Elements(page)
    assert sum(tag == "article" for tag, _ in found.elements) == 12
    assert sum(a.get("class") == "evidence" for _, a in found.elements) == 5
    assert "Evidence is kept for 5 of 30 utterances" in found.text
    assert "10 further utterances" in found.text
    assert "8 more are not listed at all" in found.text
    worst = [score.id for score in systems.reports[0].worst()[:12]]
    assert [a["data-id"] for tag, a in found.elements if tag == "article"] == worst


def test_evidence_keeps_within_its_bytes(systems, tmp_path, monkeypatch):
    monkeypatch.setattr(utterances, "EVIDENCE_BYTES", 60_000)
    write_html(systems.reports[:1], tmp_path / "r.html", systems.evidence[:1])
    found = Elements((tmp_path / "r.html").read_text("utf-8"))
    sizes = [len(text) for a, text in found.scripts if '"kind"' in text and "type" in a]
    assert 30_000 < sum(sizes) <= 60_000


def test_logs_are_checked(tmp_path, systems):
    path = tmp_path / "log.csv"
    path.write_text("epoch,dev_loss\n1,0.5\n2,\n", "utf-8")
    assert read_curves(path).some(dev_loss="d", train_loss="t") == {
        "d": (0.5, pytest.approx(float("nan"), nan_ok=True))
    }
    for text, message in (
        ("loss\n1\n", "no column 'epoch'"),
        ("epoch,loss\n1,2\n3\n", r"log\.csv:3: 1 fields, the header has 2"),
        ("epoch,loss\nx,2\n", "an epoch is not a number"),
        ("", "no column 'epoch'"),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(InputError, match=message):
            read_curves(path)
    with pytest.raises(InputError, match="2 log files for 1 reports"):
        write_html(systems.reports[:1], tmp_path / "r.html", curves=[path, path])
    assert not Path(tmp_path / "r.html").exists()


def test_a_set_without_errors_has_no_table_of_them(tmp_path):
    report = score({"u": "ab", "v": "ba"}, {"u": "ab", "v": "ba"}, "cer")
    write_html([report], tmp_path / "report.html")
    text = Elements((tmp_path / "report.html").read_text("utf-8")).text
    assert "Most frequent errors There are none." in " ".join(text.split())
    assert "errors: 1 to" not in text
