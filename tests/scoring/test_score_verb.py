"""The verb `seqlabel score`: what it prints, writes, and returns."""

import json

import pytest

from seqlabel.cli import main
from seqlabel.scoring import read_transcripts

REF = "u1 the cat sat\nu2 a dog\nu3 one two three\n"
HYP = "u1 the hat sat\nu2 a dog\nu3 one three\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ref.txt").write_text(REF)
    (tmp_path / "hyp.txt").write_text(HYP)
    (tmp_path / "better.txt").write_text(REF)
    return tmp_path


def run(capsys, *arguments):
    code = main(["score", *map(str, arguments)])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_help_fits_one_screen(capsys):
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    assert len(capsys.readouterr().out.splitlines()) <= 36


def test_without_a_folder_everything_is_printed(files, capsys):
    code, out, err = run(capsys, "ref.txt", "hyp.txt", "--unit", "word")
    assert (code, err) == (0, "")
    assert out.startswith("hyp: WER 25.00%")
    assert (
        "protocol wer: words, separated by white space (chosen because the labels are words)" in out
    )
    assert "Worst utterances" in out


def test_a_folder_takes_text_json_and_page(files, capsys):
    code, out, _ = run(capsys, "ref.txt", "hyp.txt", "--protocol", "wer", "--out", "report")
    assert code == 0
    assert {path.name for path in (files / "report").iterdir()} == {
        "score.json", "score.txt", "alignments.jsonl", "report.html",
    }  # fmt: skip
    assert out.splitlines()[-1] == "report: report/report.html"
    assert "Worst utterances" not in out
    assert json.loads((files / "report/score.json").read_text())["errors"] == 2
    assert "WER" in (files / "report/report.html").read_text()


def test_json_goes_to_standard_output_alone(files, capsys):
    code, out, err = run(capsys, "ref.txt", "hyp.txt", "--protocol", "cer", "--json")
    value = json.loads(out)
    assert (code, err) == (0, "")
    assert (value["metric"], value["reference_tokens"]) == ("CER", 29)
    assert value["also"][0]["rate"] == 0.25


@pytest.mark.parametrize(
    ("limit", "code"), [("0.25", 0), ("0.24", 1), ("25%", 0), ("24.9 %", 1), (".3", 0), ("1", 0)]
)
def test_fail_above(files, capsys, limit, code):
    assert run(capsys, "ref.txt", "hyp.txt", "--protocol", "wer", "--fail-above", limit)[0] == code


def test_what_does_not_count_is_named(files, capsys):
    (files / "hyp.txt").write_text("u1 The cat, SAT\nu2 a dog\nu3 one two three\n")
    options = ["ref.txt", "hyp.txt", "--json", "--protocol", "wer"]
    _, out, _ = run(capsys, *options, "--ignore", "case", "--ignore", "punctuation")
    value = json.loads(out)
    assert (value["errors"], value["protocol"]) == (0, "wer, ignoring case and punctuation")
    assert json.loads(run(capsys, *options)[1])["errors"] == 3
    _, out, _ = run(capsys, "ref.txt", "hyp.txt", "--json", "--unit", "word", "--ignore", "case")
    assert json.loads(out)["errors"] == 1


def test_several_systems_are_compared_with_the_first(files, capsys):
    options = ("ref.txt", "hyp.txt", "better.txt", "--protocol", "wer", "--out", "report")
    code, out, _ = run(capsys, *options)
    assert code == 0
    assert "better against hyp: WER -25.00 points" in out
    assert "mapsswe" in out
    value = json.loads((files / "report/score.json").read_text())
    assert [system["name"] for system in value["systems"]] == ["hyp", "better"]
    assert (files / "report/better/alignments.jsonl").is_file()


def test_an_earlier_report_is_compared_with(files, capsys):
    assert run(capsys, "ref.txt", "hyp.txt", "--protocol", "wer", "--out", "old")[0] == 0
    options = ("ref.txt", "better.txt", "--protocol", "wer", "--against", "old")
    code, out, _ = run(capsys, *options, "--out", "new")
    assert (code, "better against hyp" in out) == (0, True)
    assert json.loads((files / "new/score.json").read_text())["comparisons"][0]["first"] == "hyp"
    (files / "ref.txt").write_text(REF.replace("dog", "frog"))
    code, _, err = run(capsys, *options)
    assert code == 2
    assert "fingerprints differ" in err
    assert run(capsys, *options, "--anyway")[0] == 0


def test_reports_of_one_name_are_told_apart(files, capsys):
    for n, text in enumerate((HYP, REF)):
        (files / f"run{n}").mkdir()
        (files / f"run{n}/hyp.txt").write_text(text)
    options = ("ref.txt", "run0/hyp.txt", "--protocol", "wer", "--out", "old/0")
    assert run(capsys, *options)[0] == 0
    options = ("ref.txt", "run1/hyp.txt", "--protocol", "wer", "--against", "old/0")
    _, out, _ = run(capsys, *options, "--out", "old/1")
    assert "hyp against old/0/hyp: WER" in out
    assert "old/0/hyp" in (files / "old/1/report.html").read_text()
    value = json.loads((files / "old/1/score.json").read_text())
    assert (value["name"], value["comparisons"][0]["first"]) == ("hyp", "old/0/hyp")
    _, out, _ = run(capsys, "ref.txt", "better.txt", "--protocol", "wer", "--against", "old/0",
                    "--against", "old/1")  # fmt: skip
    assert "old/1/hyp against old/0/hyp: WER" in out
    assert "better against old/0/hyp: WER" in out


def test_seeds_give_mean_and_spread(files, capsys):
    for seed in (1, 2):
        (files / f"seed{seed}").mkdir()
        (files / f"seed{seed}/hyp.txt").write_text(HYP if seed == 1 else REF)
    _, out, _ = run(capsys, "ref.txt", *files.glob("seed*/hyp.txt"), "--protocol", "wer", "--seeds")
    assert "2 runs: WER 12.50% ± 17.68%" in out
    assert "against" not in out
    assert "seed1/hyp: WER" in out


def test_damaged_evidence_leaves_nothing_half_reported(files, capsys):
    (files / "hyp.txt.evidence.npz").write_bytes(b"cut")
    code, _, err = run(capsys, "ref.txt", "hyp.txt", "--protocol", "wer", "--out", "report")
    assert code == 2
    assert "hyp.txt.evidence.npz" in err
    assert not (files / "report").exists()


@pytest.mark.parametrize("kind", ["trn", "text", "jsonl"])
def test_scored_labels_are_exported(files, capsys, kind):
    run(capsys, "ref.txt", "hyp.txt", "--protocol", "cer", "--out", "report", "--export", kind)
    ending = "" if kind == "text" else f".{kind}"
    found = read_transcripts(files / f"report/hypothesis{ending}")
    assert found.by_id["u1"].labels == tuple("the hat sat")
    assert (
        run(capsys, files / f"report/reference{ending}", files / f"report/hypothesis{ending}")[0]
        == 0
    )


def test_recordings_and_their_segments_are_exported(files, capsys):
    (files / "ref.stm").write_text(
        "rec A s 0 1 a b\nrec A t 1 2 IGNORE_TIME_SEGMENT_IN_SCORING\nrec A t 2 3 c\n"
    )
    (files / "hyp.ctm").write_text("rec A 0.2 0.1 a\nrec A 1.2 0.1 b\nrec A 2.2 0.1 c\n")
    _, before, _ = run(capsys, "ref.stm", "hyp.ctm", "--json")
    run(capsys, "ref.stm", "hyp.ctm", "--out", "report", "--export", "ctm")
    code, after, err = run(capsys, "report/reference.stm", "report/hypothesis.ctm", "--json")
    assert (code, err) == (0, "")
    assert json.loads(before)["errors"] == json.loads(after)["errors"] == 1


def test_files_that_differ_in_their_ending_are_two_systems(files, capsys):
    (files / "hyp.trn").write_text("the cat sat (u1)\na dog (u2)\none two three (u3)\n")
    code, out, _ = run(capsys, "ref.txt", "hyp.txt", "hyp.trn", "--protocol", "wer")
    assert (code, "hyp.trn against hyp.txt: WER" in out) == (0, True)
    code, _, err = run(capsys, "ref.txt", "hyp.txt", "hyp.txt", "--protocol", "wer")
    assert (code, "given twice" in err) == (2, True)


def test_times_are_exported(files, capsys):
    row = {"id": "u1", "labels": ["a"], "spans": [["a", 0, 0.5, 1]]}
    (files / "hyp.jsonl").write_text(json.dumps(row))
    (files / "ref.jsonl").write_text(json.dumps({"id": "u1", "labels": ["a"], "speaker": "s"}))
    run(capsys, "ref.jsonl", "hyp.jsonl", "--out", "report", "--export", "ctm")
    assert (files / "report/reference.stm").read_text() == "u1 1 s 0.000 1.000 a\n"
    assert (files / "report/hypothesis.ctm").read_text() == "u1 1 0.000 0.500 a 1.0000\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent.trn", "hyp.txt"), "absent.trn: no such file"),
        (("ref.txt", "hyp.txt", "--protocol", "kaldy"), "unknown protocol 'kaldy'"),
        (("ref.txt", "hyp.txt", "--protocol", "kaldi"), "symbol 'the' is not in the map"),
        (("ref.txt", "hyp.txt", "--fail-above", "lots"), "a rate is expected"),
        (("ref.txt", "hyp.txt", "--export", "trn"), "add --out DIR"),
        (("ref.txt", "hyp.txt", "--seeds", "--against", "x"), "use one of them"),
        (("ref.txt", "hyp.txt", "--seeds"), "needs the hypotheses of two or more"),
        (("ref.txt", "hyp.txt", "hyp.txt"), "name each hypothesis file once"),
        (("ref.txt", "hyp.txt", "--costs", "cheap"), "not one of sclite, unit"),
        (("ref.txt", "hyp.txt", "--unit", "letter"), "not one of character"),
        (("ref.txt", "hyp.txt", "--ignore", "case"), "cannot be ignored"),
        (("ref.txt", "short.txt"), "2 of the 3 utterances of ref.txt are not in it ('u2', 'u3')"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(files, capsys, arguments, message):
    (files / "short.txt").write_text("u1 a\n")
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("seqlabel score: ")
    assert message in err
    assert not (files / "report").exists()


def test_missing_utterances_are_allowed_on_request(files, capsys):
    (files / "short.txt").write_text("u1 the cat sat\nextra x\n")
    code, out, _ = run(capsys, "ref.txt", "short.txt", "--protocol", "wer", "--allow-missing")
    assert code == 0
    assert "WER 62.50%" in out
    assert "2 missing, 1 skipped" in out


def test_a_hostile_manifest_runs_nothing_in_the_page(files, capsys):
    evil = '"><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
    row = {"id": evil, "labels": [evil, "a"], "speaker": evil, "tags": {evil: evil}}
    other = {"id": "u", "labels": ["a"], "speaker": "s"}
    (files / "ref.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(other) + "\n")
    read = [{"id": evil, "labels": ["</script>"]}, {"id": "u", "labels": [evil]}]
    (files / "hyp.jsonl").write_text("".join(json.dumps(r) + "\n" for r in read))
    assert run(capsys, "ref.jsonl", "hyp.jsonl", "--out", "report")[0] == 0
    page = (files / "report/report.html").read_text()
    assert "<script>window" not in page
    assert "<img src=x" not in page
