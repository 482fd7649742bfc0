"""Reports as files: score.json, score.txt, alignments.jsonl, read back and hostile input."""

import json

import pytest

from seqlabel.errors import InputError
from seqlabel.report.files import read_report, write_report, write_reports
from seqlabel.report.text import all_to_text, comparison_to_text, report_to_text
from seqlabel.scoring import (
    Transcript,
    Transcripts,
    compare,
    score,
    spread,
)

HOSTILE = "<script>alert(1)</script>\x1b[2J"


def report(name="system", wrong=3):
    spoken = [
        Transcript(f"u{n}", tuple("the cat"), "the cat", f"s{n % 3}", {"sex": "mf"[n % 2]}, 1.0)
        for n in range(8)
    ]
    read = {t.id: tuple("thx cat") if n < wrong else t.labels for n, t in enumerate(spoken)}
    return score(Transcripts.gather("ref", spoken), read, name=name)


def test_score_json_has_the_promised_keys(tmp_path):
    write_report(report(), tmp_path)
    value = json.loads((tmp_path / "score.json").read_text())
    promised = {
        "metric": "CER", "rate": 3 / 56, "substitutions": 3, "deletions": 0, "insertions": 0,
        "errors": 3, "reference_tokens": 56, "utterances": 8, "skipped": 0, "protocol": "cer",
        "decoder": "", "missing": 0, "costs": "unit", "sentence_errors": 3, "name": "system",
        "errors_by_costs": {"sclite": 3, "unit": 3},
    }  # fmt: skip
    assert {key: value[key] for key in promised} == promised
    assert len(value["reference_fingerprint"]) == 16
    assert value["interval"]["over"] == "speakers"
    assert value["also"][0]["metric"] == "WER"
    assert value["also"][0]["errors"] == 3
    assert set(value["breakdowns"]) == {"speaker", "sex", "word"}
    assert value["confusions"] == [["e", "x", 3]]
    assert value == report().to_json()


def test_a_report_read_back_is_the_same(tmp_path):
    first = report()
    write_report(first, tmp_path)
    again = read_report(tmp_path)
    assert again.utterances == first.utterances
    assert again.to_json() == first.to_json()
    (words,), (known,) = again.also, first.also
    assert (words.metric, words.rate, words.interval) == ("WER", known.rate, known.interval)
    assert words.costs_note == known.costs_note
    assert words.to_json()["missing_utterances"] == []
    reason = " (chosen because the labels are characters)"  # is not kept
    assert report_to_text(again) == report_to_text(first).replace(reason, "")
    assert compare(first, again).difference == 0


def test_a_damaged_report_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_report(tmp_path)
    write_report(report(), tmp_path)
    lines = (tmp_path / "alignments.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "alignments.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(InputError, match="disagree"):
        read_report(tmp_path)
    (tmp_path / "score.json").write_text("{}")
    with pytest.raises(InputError, match="not a report of this version"):
        read_report(tmp_path)


def test_several_systems_share_a_folder(tmp_path):
    one, two = report("a/test", 3), report("b/test", 1)
    folders = write_reports([one, two], tmp_path, [compare(one, two)], spread([0.1, 0.2]))
    assert [folder.name for folder in folders] == ["a-test", "b-test"]
    assert read_report(folders[1]).counts == two.counts
    value = json.loads((tmp_path / "score.json").read_text())
    assert (value["rate"], [s["errors"] for s in value["systems"]]) == (one.rate, [3, 1])
    assert value["comparisons"][0]["second"] == "b/test"
    assert value["spread"]["runs"] == 2
    assert "b/test against a/test" in (tmp_path / "score.txt").read_text()
    with pytest.raises(InputError, match=r"several systems; name one of .*a-test, .*b-test"):
        read_report(tmp_path)


def test_the_names_of_systems_cannot_leave_the_folder(tmp_path):
    names = ["../../x", "..", "x", HOSTILE]
    reports = [report(name) for name in names]
    for folder in write_reports(reports, tmp_path / "out"):
        assert folder.parent == tmp_path / "out"
        assert (folder / "score.json").is_file()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "out"]
    assert len({f.name for f in write_reports(reports, tmp_path / "out")}) == 4


def test_the_text_says_what_the_number_means():
    text = report_to_text(report())
    for part in (
        "system: CER 5.36% [", "(95%, bootstrap over 3 speakers, too few to rely on)",
        "3 errors in 56 characters",
        "8 utterances, 3 of them with errors; 0 missing, 0 skipped",
        "protocol cer: characters, including the spaces between words",
        "chosen because the labels are characters", report().reference_fingerprint,
        "WER 18.75%", "By sex", "Confusions", "HYP:  t h x ␣ c a t",
    ):  # fmt: skip
        assert part in text


def test_the_report_says_by_how_much_other_costs_differ(tmp_path):
    found = score({"u": list("aaabb")}, {"u": list("bbcca")}, "plain")
    line = "costs unit (Levenshtein distance); under sclite costs +1 errors, 120.000%\n"
    assert line in report_to_text(found)
    write_report(found, tmp_path)
    assert line in report_to_text(read_report(tmp_path))
    by_sclite = score({"u": list("aaabb")}, {"u": list("bbcca")}, "plain", costs="sclite")
    assert "costs sclite (4/3/3); under unit costs -1 errors, 100.000%\n" in report_to_text(
        by_sclite
    )
    assert "costs unit (Levenshtein distance)\n" in report_to_text(report())


def test_missing_and_skipped_utterances_are_named():
    found = score({"u": ["a"], "v": ["a"]}, {"v": ["a"], "x": ["a"]}, allow_missing=True)
    assert "scored as deleted: u" in report_to_text(found)
    assert "skipped: x: no reference" in report_to_text(found)


def test_no_control_character_reaches_the_terminal():
    labels = {HOSTILE: [HOSTILE, "a"], "v": ["b"]}
    first = score(labels, {HOSTILE: ["a"], "v": [HOSTILE]}, name=HOSTILE)
    second = score(labels, {HOSTILE: ["a"], "v": ["b"]}, name=HOSTILE)
    comparison = compare(first, second)
    text = all_to_text([first], [comparison]) + comparison_to_text(comparison)
    assert "\x1b" not in text
    assert "<script>alert(1)</script>\\x1b[2J" in text


def test_a_report_without_errors_is_short():
    labels = {"u": ["a"], "v": ["a"]}
    text = report_to_text(score(labels, labels))
    assert "0.00%" in text
    assert "Confusions" not in text
    assert "Worst" not in text
