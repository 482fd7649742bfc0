"""The page in a real browser: scripts, charts, sorting, filters, evidence, small screens."""

from pathlib import Path

import pytest

from seqlabel.report.html.page import write_html

FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Waits until what was scrolled or opened is drawn."""
ATTACKED = "typeof hacked !== 'undefined'"


@pytest.fixture(scope="module")
def page(browser, systems, log, tmp_path_factory):
    """The report of one system, opened on a wide screen."""
    path = tmp_path_factory.mktemp("browser") / "report.html"
    write_html(systems.reports[:1], path, systems.evidence[:1], [log])
    browser.view(1100, 900)
    browser.open(path)
    yield browser
    assert browser.problems == []
    assert {address.split(":")[0] for address in browser.requests} <= {"file", "data"}


@pytest.fixture(scope="module")
def comparison(systems, log, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "comparison.html"
    write_html(systems.reports, path, systems.evidence, [log, log])
    return path


def column(page, caption: str, n: int) -> list[str]:
    """Texts of column n of the table under a caption, as shown."""
    return page.run(
        f"[...[...document.querySelectorAll('figure')].find("
        f"f => f.querySelector('figcaption').textContent.startsWith({caption!r}))"
        f".querySelector('tbody').rows].filter(r => !r.hidden).map(r => r.cells[{n}].textContent)"
    )


def click(page, caption: str, n: int) -> None:
    page.run(
        f"[...document.querySelectorAll('figure')].find("
        f"f => f.querySelector('figcaption').textContent.startsWith({caption!r}))"
        f".querySelectorAll('.sort')[{n}].click()"
    )


def test_the_script_runs_without_an_error(page):
    assert page.problems == []
    assert page.run("document.querySelector('.controls').hidden") is False
    assert page.run("document.getElementById('shown').textContent") == "30 of 30"


def test_charts_have_marks_of_some_size(page):
    sizes = page.run(
        "Object.fromEntries(['.rates .mark', '.rates .whisker', '.curve .line', '.matrix .agree',"
        "'.matrix .confused', '.bar rect'].map(s => [s, Math.min("
        "...[...document.querySelectorAll(s)].map(e => e.getBoundingClientRect())"
        ".map(box => box.width + box.height))]))"
    )
    assert all(size is not None and size > 3 for size in sizes.values()), sizes
    colours = page.run(
        "['s', 'd', 'i'].map(k => getComputedStyle(document.querySelector(`.rates .${k}`)).fill)"
    )
    assert len(set(colours)) == 3


def test_tables_sort_both_ways(page):
    click(page, "By speaker", 0)
    assert column(page, "By speaker", 0) == ["spk0", "spk1", "spk2", "spk3"]
    click(page, "By speaker", 0)
    assert column(page, "By speaker", 0) == ["spk3", "spk2", "spk1", "spk0"]
    click(page, "By speaker", 3)
    errors = [int(text) for text in column(page, "By speaker", 3)]
    assert errors == sorted(errors, reverse=True)
    click(page, "By speaker", 4)
    rates = [float(text.split()[0]) for text in column(page, "By speaker", 4)]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) > 1


def test_long_tables_open(page):
    caption = "Most frequent errors"
    assert len(column(page, caption, 0)) == 12
    page.run("document.querySelector('#confusions .more').click()")
    assert len(column(page, caption, 0)) > 14
    page.run("document.querySelector('#confusions .more').click()")
    assert len(column(page, caption, 0)) == 12


def point_at(page, selector: str, x: float, y: float) -> str:
    """The tip shown for a place inside an element."""
    page.run(f"document.querySelector({selector!r}).scrollIntoView({{behavior: 'instant'}})")
    page.run(FRAMES)
    box = page.run(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + x, y=box["y"] + y)
    return page.run("tip.hidden ? '' : tip.textContent")


def test_the_matrix_names_the_field_under_the_pointer(page, systems):
    confusions = systems.reports[0].confusions
    names = page.run("[...document.querySelectorAll('.matrix .row')].map(t => t.textContent)")
    cell, margin = page.run(
        "(d => [Number(d.cell), Number(d.margin)])(document.querySelector('.matrix').dataset)"
    )
    reference, read = next(pair for pair in confusions if pair[0] != pair[1] and all(pair))
    place = [margin + (names.index(label) + 0.5) * cell for label in (read, reference)]
    tip = point_at(page, ".matrix", *place)
    total = sum(n for (label, _), n in confusions.items() if label == reference)
    assert tip.startswith(f"{reference} read as {read}: {confusions[reference, read]} of {total} (")
    tip = point_at(page, ".matrix", margin + (len(names) - 0.5) * cell, place[1])
    assert tip.startswith(f"{reference} deleted: {confusions.get((reference, ''), 0)}")


def test_the_matrix_can_be_walked_with_keys(page, systems):
    page.run("document.querySelector('.matrix').focus()")
    page.run(FRAMES)
    for key in 9 * ("ArrowUp",) + 9 * ("ArrowLeft",):
        page.call("Input.dispatchKeyEvent", type="keyDown", key=key)
    (first,) = (label for label in systems.reports[0].labels if label.label == "aa")
    expected = f"aa read correctly: {first.correct} of {first.reference} ("
    assert page.run("tip.hidden ? '' : tip.textContent").startswith(expected)


def test_curves_tell_their_values(page):
    point_at(page, "[data-curve='curve1']", 499, 60)  # the right end: the last of ten epochs
    values = page.run("document.querySelector(\"[data-values='curve1'] output\").textContent")
    assert values == "26\u00a0% (epoch 10)"


def test_utterances_can_be_found_ordered_and_filtered(page, systems):
    def choose(name: str, value: str) -> list[str]:
        return page.run(
            f"(() => {{ const e = document.getElementById({name!r}); e.value = {value!r};"
            "e.dispatchEvent(new Event('input', {bubbles: true}));"
            "return [...list.children].filter(a => !a.hidden).map(a => a.dataset.id); })()"
        )

    scores = systems.reports[0].utterances
    assert choose("order", "id") == sorted(score.id for score in scores)
    by_errors = choose("order", "errors")
    errors = {score.id: score.counts.errors for score in scores}
    assert [errors[key] for key in by_errors] == sorted(errors.values(), reverse=True)
    assert set(choose("show", "wrong")) == {key for key, n in errors.items() if n}
    assert choose("show", "all") == by_errors
    assert choose("find", "UTT07") == ["utt07"]
    assert len(choose("find", "")) == 30


def test_the_evidence_opens_and_plays(page):
    page.run("document.querySelector('details.evidence').open = true")
    page.run(FRAMES)
    marks = page.run(
        "(p => [p.querySelectorAll('.post').length, p.querySelectorAll('.blank').length,"
        "p.querySelector('image').href.baseVal.slice(0, 15), p.querySelectorAll('.cut').length])"
        "(document.querySelector('.panel'))"
    )
    assert marks[0] >= 1
    assert marks[1] >= 1
    assert marks[2] == "data:image/png;"
    assert marks[3] >= 1
    seconds = page.run(
        "(audio => new Promise(done => audio.duration ? done(audio.duration)"
        ": audio.addEventListener('loadedmetadata', () => done(audio.duration))))"
        "(document.querySelector('.panel audio'))"
    )
    assert seconds == pytest.approx(0.5, abs=0.08)
    assert "s" in point_at(page, ".panel .stage svg", 300, 40)


def test_systems_are_shown_one_at_a_time(browser, comparison):
    browser.open(comparison)
    visible = (
        "[...document.querySelectorAll('.system')].filter(b => !b.hidden)"
        ".map(b => b.dataset.system)"
    )
    assert browser.run(visible) == ["0"]
    browser.run("choice.value = '1'; choice.dispatchEvent(new Event('change'))")
    assert browser.run(visible) == ["1"]
    browser.run("document.querySelector('details.evidence').open = true")
    browser.run(FRAMES)
    assert browser.run("document.querySelectorAll('.panel .stage .unit').length") > 1
    assert browser.problems == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_the_page_without_sideways_scrolling(browser, comparison, dark):
    browser.view(390, 844, dark=dark)
    browser.open(comparison)
    assert browser.run("document.documentElement.scrollWidth") == 390
    browser.run("document.querySelector('details.evidence').open = true")
    browser.run(FRAMES)
    assert browser.run("document.documentElement.scrollWidth") == 390
    light = browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light is not dark
    assert browser.problems == []


def test_hostile_data_does_not_run(browser, hostile, attacks):
    browser.view(1100, 900)
    browser.open(hostile)
    browser.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    browser.run(FRAMES)
    panels = browser.run("document.querySelectorAll('.panel').length")
    assert panels == len(attacks)
    for selector in ("[data-tip]", ".matrix", ".stage svg", ".chip", ".curve"):
        point_at(browser, selector, 60, 30)
    browser.run("document.querySelectorAll('button').forEach(b => b.click())")
    browser.run("document.querySelectorAll('a').forEach(a => a.click())")
    assert browser.run(ATTACKED) is False
    assert browser.problems == []
    assert {address.split(":")[0] for address in browser.requests} <= {"file", "data"}


def test_the_policy_stops_what_escaping_would_miss(browser, hostile, tmp_path):
    page = hostile.read_text("utf-8")
    broken = page.replace(
        "<main>", "<main><script>hacked = 1</script><img src=x onerror='hacked=1'>"
    )
    (tmp_path / "broken.html").write_text(broken, "utf-8")
    browser.open(tmp_path / "broken.html")
    assert browser.run(ATTACKED) is False
    assert any("Content Security Policy" in problem for problem in browser.problems)
    browser.problems.clear()  # they are not those of `page`


def test_the_page_prints(browser, comparison):
    browser.open(comparison)
    assert browser.pdf().startswith(b"%PDF")
