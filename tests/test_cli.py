"""The command line: help, exit codes, one-line errors, and the main job from corpus to report."""

import json
from pathlib import Path

import pytest

from seqlabel.cli import VERBS, main
from seqlabel.report.evidence import evidence_path
from seqlabel.synthetic import ink as synthetic_ink


def test_no_verb_shows_the_verbs(capsys):
    assert main([]) == 2
    listed = capsys.readouterr().out
    for verb in VERBS:
        assert f"  {verb}" in listed


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_one_screen(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 45
    assert lines[0].startswith(f"usage: seqlabel {verb}")


@pytest.mark.parametrize("arguments", [["tarin"], ["train"], ["decode", "--beams", "3"]])
def test_bad_usage_exits_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "{config}", "--data", "{tmp}/absent", "--out", "{tmp}/e"],
            "absent: no such folder",
        ),
        (
            ["train", "{tmp}/no.toml", "--data", "{data}", "--out", "{tmp}/e"],
            "no.toml: no such file",
        ),
        (
            ["train", "{config}", "--data", "{data}", "--out", "{tmp}/e", "--set", "model.hiden=3"],
            "unknown option hiden (did you mean 'hidden'?)",
        ),
        (
            [
                "train",
                "{config}",
                "--data",
                "{data}",
                "--out",
                "{tmp}/e",
                "--set",
                "model.cell=lstn",
            ],
            "lstn",
        ),
        (
            ["decode", "{tmp}/none", "{data}/test.jsonl", "--out", "{tmp}/h"],
            "no such model directory",
        ),
        (["prepare", "timit", "{tmp}/absent", "{tmp}/out"], "absent"),
        (["score", "{data}/test.jsonl", "{tmp}/absent.jsonl"], "absent.jsonl: no such file"),
        (["lm", "{tmp}/absent.jsonl", "--out", "{tmp}/lm.arpa"], "absent.jsonl"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    arguments, message, capsys, tmp_path, tiny_corpus, config
):
    names = {"tmp": tmp_path, "data": tiny_corpus, "config": config}
    assert main([argument.format(**names) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"seqlabel {arguments[0]}: ")
    assert message in error
    assert not list(tmp_path.iterdir())


def test_the_main_job_from_corpus_to_report(tmp_path, config, capsys):
    """Random strings of four letters: a minute network must read most of them."""
    corpus, data, model = tmp_path / "corpus", tmp_path / "data", tmp_path / "model"
    options = synthetic_ink.InkCorpus(
        (120, 12, 6, 16), (8, 2, 2, 3), characters="oxvl", length=(2, 4)
    )
    synthetic_ink.write_corpus(corpus, options)
    assert main(["prepare", "iam_ondb", str(corpus), str(data)]) == 0
    training = [
        "train", str(config), "--data", str(data), "--out", str(model), "--set", "model.hidden=20",
        "--set", "phases=[{epochs=40,learning_rate=0.03,decay='cosine'}]",
    ]  # fmt: skip
    assert main(training) == 0
    assert (
        main(["lm", str(data / "train.jsonl"), "--order", "2", "--out", str(tmp_path / "lm.arpa")])
        == 0
    )
    hypotheses = []
    beam = ["--beam", "8", "--lm", str(tmp_path / "lm.arpa"), "--lm-weight", "0.2"]
    lines = [json.loads(line) for line in (data / "test.jsonl").read_text().splitlines()]
    words = {word for line in lines for word in line["text"].split()}
    (tmp_path / "words.txt").write_text("\n".join(sorted(words)))
    lexicon = ["--beam", "8", "--lexicon", str(tmp_path / "words.txt")]
    for name, decoder in (("greedy", []), ("beam", beam), ("lexicon", lexicon)):
        hypotheses.append(str(tmp_path / f"{name}.jsonl"))
        command = ["decode", str(model), str(data / "test.jsonl"), "--evidence", "4"]
        assert main([*command, "--out", hypotheses[-1], *decoder]) == 0
    report = tmp_path / "report"
    assert main(["score", str(data / "test.jsonl"), *hypotheses, "--out", str(report)]) == 0
    assert "report.html" in capsys.readouterr().out
    scores = [json.loads(path.read_text()) for path in sorted(report.rglob("score.json"))]
    assert scores
    for score in scores:
        assert score["metric"] == "CER"
        assert score["utterances"] == 16
        assert score["rate"] < 0.15
    decoders = {score["decoder"] for score in scores}
    assert decoders == {
        "greedy",
        "beam 8, 2-gram over labels lm.arpa x 0.2",
        f"beam 8, {len(words)} words of words.txt",
    }
    assert (report / "report.html").stat().st_size > 10_000
    assert evidence_path(Path(hypotheses[0])).is_file()
    assert main(["decode", str(model), str(data / "test.jsonl"), "--out", hypotheses[0]]) == 0
    assert not evidence_path(Path(hypotheses[0])).exists()  # it was of other hypotheses
    assert main(["read", str(model), *(line["source"] for line in lines[:2])]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
