"""The verbs decode, align and spot on small corpora; the networks are untrained."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import soundfile

from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.corpora.manifest import Segment, Utterance, read_manifest, write_manifest
from seqlabel.decoding.lm.ngram import NgramLM
from seqlabel.scoring.transcripts.files import read_transcripts

PHONES = Alphabet(["h#", "aa", "n"], unit="phone")
LETTERS = Alphabet("ONE ", unit="character")


@pytest.fixture(scope="module")
def exp(untrained, tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("phones") / "exp", PHONES)


@pytest.fixture(scope="module")
def letters(untrained, tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("letters") / "exp", LETTERS)


def utterance(folder, name, labels, seconds=0.5, rate=16000, **more):
    samples = np.random.default_rng(len(name)).normal(size=int(seconds * rate)) * 0.1
    soundfile.write(folder / f"{name}.wav", samples, rate)
    return Utterance(
        name, folder / f"{name}.wav", "speech", tuple(labels), duration=seconds, **more
    )


@pytest.fixture
def phones(tmp_path):
    """Two utterances with hand labels, and one whose labels do not fit."""
    labels = ["h#", "n", "aa", "h#"]
    times = [0.0, 0.1, 0.2, 0.4, 0.5]
    segments = tuple(map(Segment, labels, times, times[1:]))
    items = [
        utterance(tmp_path, "a", labels, segments=segments),
        utterance(tmp_path, "bb", labels, segments=segments, rate=8000),
        utterance(tmp_path, "short", ["n", "aa"] * 40, seconds=0.3),
    ]
    write_manifest(tmp_path / "test.jsonl", items)
    return tmp_path / "test.jsonl"


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_align_writes_ctm_names_what_it_skips_and_measures_boundaries(exp, phones, capsys):
    out = phones.parent / "ctm"
    assert run("align", exp, phones, "--out", out) == 0
    printed = capsys.readouterr().out
    assert "8 labels of 2 utterances aligned" in printed
    assert "skipped: short: 80 labels need at least 80 frames" in printed
    assert "against the hand labels: 6 boundaries, mean error" in printed
    transcripts = read_transcripts(out / "labels.ctm").by_id
    assert [*transcripts] == ["a", "bb"]
    spans = transcripts["a"].spans
    assert [span[0] for span in spans] == ["h#", "n", "aa", "h#"]
    assert (spans[0][1], spans[-1][2]) == (0.0, pytest.approx(0.5, abs=2e-3))
    for before, after in pairwise(spans):
        assert before[2] == pytest.approx(after[1], abs=2e-3)
    assert all(0 <= span[3] <= 1 for span in spans)


def test_align_lets_gaps_stand_where_something_else_may_be_spoken(exp, phones, capsys):
    out = phones.parent / "ctm"
    assert run("align", exp, phones, "--out", out, "--stars", "ends") == 0
    spans = read_transcripts(out / "labels.ctm").by_id["a"].spans
    assert [span[0] for span in spans] == ["h#", "n", "aa", "h#"]
    assert spans[0][1] > 0
    assert spans[-1][2] < 0.5
    assert run("align", exp, phones, "--out", out, "--skip-words") == 2
    assert "these phone labels are not; only the two ends can be free" in capsys.readouterr().err


def test_align_writes_phn_in_the_samples_of_each_file(exp, phones):
    out = phones.parent / "phn"
    assert run("align", exp, phones, "--out", out, "--format", "phn") == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.phn", "bb.phn"]
    for name, samples in (("a", 8000), ("bb", 4000)):
        rows = [line.split() for line in (out / f"{name}.phn").read_text().splitlines()]
        assert [row[2] for row in rows] == ["h#", "n", "aa", "h#"]
        assert rows[0][0] == "0"
        assert rows[-1][1] == str(samples)
        assert [row[1] for row in rows[:-1]] == [row[0] for row in rows[1:]]


def test_align_writes_words_of_characters(letters, tmp_path, capsys):
    items = [utterance(tmp_path, "x", "ONE NO")]
    write_manifest(tmp_path / "test.jsonl", items)
    run("align", letters, tmp_path / "test.jsonl", "--out", tmp_path, "--format", "textgrid")
    text = (tmp_path / "x.TextGrid").read_text()
    assert 'name = "labels"' in text
    assert 'text = "ONE"' in text
    run("align", letters, tmp_path / "test.jsonl", "--out", tmp_path)
    assert read_transcripts(tmp_path / "labels.ctm").by_id["x"].labels == tuple("ONE NO")
    assert read_transcripts(tmp_path / "words.ctm").by_id["x"].labels == ("ONE", "NO")
    assert "hand labels" not in capsys.readouterr().out


def test_align_refuses_what_cannot_be(exp, phones, capsys):
    short = [item for item in read_manifest(phones) if item.id == "short"]
    write_manifest(phones.parent / "short.jsonl", short)
    assert run("align", exp, phones.parent / "short.jsonl", "--out", phones.parent / "x") == 2
    assert "nothing could be aligned; short: 80 labels" in capsys.readouterr().err
    assert not (phones.parent / "x").exists()
    assert run("align", phones.parent, phones, "--out", phones.parent / "x") == 2


def test_spot_prints_hits_and_the_figure_of_merit(letters, tmp_path, capsys):
    write_manifest(tmp_path / "t.jsonl", [utterance(tmp_path, "x", "ONE NO", text="ONE NO")])
    (tmp_path / "keywords").write_text("ONE\nNO\n")
    arguments = ["spot", letters, tmp_path / "t.jsonl", "--keywords", tmp_path / "keywords"]
    assert run(*arguments, "--out", tmp_path / "hits.jsonl", "--threshold", "0.001") == 0
    printed = capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "hits.jsonl").read_text().splitlines()]
    assert f"{len(rows)} hits in 1 utterances" in printed
    assert {row["keyword"] for row in rows} == {"ONE", "NO"}
    assert all(0 <= row["start"] < row["end"] <= 0.51 for row in rows)
    assert "(all)                  2" in printed
    assert run(*arguments, "--threshold", "0.001") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(rows) + 4
    # What is listed does not change what is ranked.
    merit = printed.splitlines()[-1].split()[-1]
    assert run(*arguments, "--threshold", "1") == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["(all)", "2", "0", "0", merit]
    assert run(*arguments, "--threshold", "0") == 2
    assert run(*arguments, "--window", "0") == 2
    for window in ("1e30", "1e308"):
        assert run(*arguments, "--threshold", "0.001", "--window", window) == 0
    capsys.readouterr()
    (tmp_path / "keywords").write_text("TWO\n")
    assert run(*arguments) == 2
    assert "keywords:1: TWO: label 'T' is not in the alphabet" in capsys.readouterr().err


def test_keywords_occur_where_their_spelling_does(letters, tmp_path, capsys):
    """The name of a keyword need not be how it is written; two may be spelled alike."""
    write_manifest(tmp_path / "t.jsonl", [utterance(tmp_path, "x", "ONE NO", text="ONE NO")])
    arguments = ["spot", letters, tmp_path / "t.jsonl", "--keywords", tmp_path / "keywords"]
    for keywords, occurs in (
        ("ONE\nNO\n", {"ONE": 1, "NO": 1}),
        ("one O N E\nno N O\n", {"one": 1, "no": 1}),
        ("1 N\n1 O N E\n1st O N E\nNO E E\n", {"1": 1, "1st": 1}),
    ):
        (tmp_path / "keywords").write_text(keywords)
        assert run(*arguments, "--threshold", "1") == 0
        _, table = capsys.readouterr().out.split("merit\n")
        rows = [line.split() for line in table.splitlines()]
        assert {row[0]: int(row[1]) for row in rows[:-1] if row[1] != "0"} == occurs
    (tmp_path / "keywords").write_text("EEN\n")
    assert run(*arguments, "--threshold", "1") == 0
    assert "t.jsonl: no keyword occurs in the transcripts" in capsys.readouterr().out


@pytest.mark.parametrize("inside", [(), ("--inside",)])
def test_false_alarms_in_silence_are_counted(letters, tmp_path, capsys, inside):
    """Nothing is said in `s`; of `u` and `v` it is not known what is said."""
    items = [utterance(tmp_path, "x", "ONE NO", text="ONE NO")]
    items.append(utterance(tmp_path, "s", "", text=""))
    unknown = [utterance(tmp_path, "u", ""), utterance(tmp_path, "v", "", text="ONE")]
    (tmp_path / "keywords").write_text("ONE\nNO\n")
    rows = []
    for data in (items[:1], items, [*items, *unknown]):
        write_manifest(tmp_path / "t.jsonl", data)
        arguments = ["--keywords", tmp_path / "keywords", "--threshold", "1e-9", *inside]
        hits = tmp_path / "hits.jsonl"
        assert run("spot", letters, tmp_path / "t.jsonl", *arguments, "--out", hits) == 0
        printed = capsys.readouterr().out
        (total,) = [line.split() for line in printed.splitlines() if line.startswith("(all)")]
        ids = [json.loads(line)["id"] for line in hits.read_text().splitlines()]
        rows.append((int(total[2]) + int(total[3]), ids))
    for counted, ids in rows:
        assert counted == sum(name in ("x", "s") for name in ids)
    assert "s" in rows[1][1]
    assert printed.splitlines()[-1] == "word times unknown, not counted: u, v"


def test_nothing_is_said_in_the_silence_of_phones(exp, tmp_path, capsys):
    items = [utterance(tmp_path, "x", ["aa"], words=(Segment("on", 0.1, 0.4),))]
    items.append(utterance(tmp_path, "s", ["h#"], text=""))
    write_manifest(tmp_path / "t.jsonl", items)
    (tmp_path / "keywords").write_text("on aa n\n")
    assert run("spot", exp, tmp_path / "t.jsonl", "--keywords", tmp_path / "keywords") == 0
    assert "not counted" not in capsys.readouterr().out
    assert (
        run(
            "spot",
            exp,
            tmp_path / "t.jsonl",
            "--keywords",
            tmp_path / "keywords",
            "--threshold",
            "1.5",
        )
        == 2
    )
    assert "--threshold 1.5: must be more than 0 and at most 1" in capsys.readouterr().err


def test_align_skips_what_has_no_transcript(letters, tmp_path, capsys):
    items = [utterance(tmp_path, "u", ""), utterance(tmp_path, "x", "ONE")]
    items.append(utterance(tmp_path, "s", "", text=""))
    write_manifest(tmp_path / "test.jsonl", items)
    command = ["align", letters, tmp_path / "test.jsonl", "--out", tmp_path / "out", "--format"]
    assert run(*command, "json") == 0
    printed = capsys.readouterr().out
    assert "3 labels of 2 utterances aligned" in printed
    assert "skipped: u: has no labels" in printed
    rows = (tmp_path / "out" / "alignments.jsonl").read_text().splitlines()
    assert [json.loads(row)["id"] for row in rows] == ["x", "s"]
    write_manifest(tmp_path / "test.jsonl", items[:1])
    assert run(*command, "json") == 2
    assert "nothing could be aligned; u: has no labels" in capsys.readouterr().err


def test_spot_takes_word_times_by_hand(exp, tmp_path, capsys):
    words = (Segment("on", 0.1, 0.4), Segment("no", 0.2, 0.3))
    write_manifest(tmp_path / "t.jsonl", [utterance(tmp_path, "x", ["h#", "aa", "n"], words=words)])
    (tmp_path / "keywords").write_text("on aa n\n")
    run("spot", exp, tmp_path / "t.jsonl", "--keywords", tmp_path / "keywords")
    assert "(all)                  1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bonus", "2"], "--bonus needs a beam search: add --beam 50"),
        (["--lm-weight", "2"], "--lm-weight needs a beam search: add --beam 50"),
        (["--beam", "5", "--lm-weight", "2"], "--lm-weight needs --lm or --word-lm"),
        (
            ["--n-best", "3"],
            "gives one result; use BeamDecoder (--beam 50)",
        ),
        (["--beam", "99999999999999"], "out of memory"),
        (["--evidence", "-1"], "--evidence -1: must not be negative"),
        (["--device", "mps"], "device 'mps': must be cpu, cuda or cuda:N"),
        (["--device", "foo"], "device 'foo': must be cpu, cuda or cuda:N"),
        (["--device", "cuda:77"], "device 'cuda:77': "),
    ],
)
def test_decode_refuses_what_would_be_without_effect_or_cannot_be(
    exp, phones, capsys, options, message
):
    assert main(["decode", str(exp), str(phones), "--out", str(phones) + ".hyp", *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_decode_does_not_write_over_its_data(exp, phones, capsys):
    before = phones.read_bytes()
    assert run("decode", exp, phones, "--out", phones) == 2
    assert "is also an input" in capsys.readouterr().err
    assert phones.read_bytes() == before


def test_decode_refuses_a_model_of_another_unit(letters, tmp_path, capsys, caplog):
    """Every label would be an unknown word, and cost as much as any other."""
    write_manifest(tmp_path / "t.jsonl", [utterance(tmp_path, "x", "ONE")])
    command = ["decode", letters, tmp_path / "t.jsonl", "--out", tmp_path / "h", "--beam", "5"]
    for text, message in (("TWO SIX", "contains none of the 4 labels"), ("N SIX", "only 1 of 4")):
        NgramLM.train([text.split()], 1).to_arpa(tmp_path / "words.arpa")
        code = run(*command, "--lm", tmp_path / "words.arpa")
        assert message in capsys.readouterr().err + caplog.text
        assert code == (2 if "none" in message else 0)
    NgramLM.train([list("ONE")], 1).to_arpa(tmp_path / "labels.arpa")
    (tmp_path / "lexicon").write_text("NONE\nNEON\n")
    words = "--lexicon", tmp_path / "lexicon", "--word-lm", tmp_path / "labels.arpa"
    assert run(*command, *words) == 2
    assert "contains none of the 2 labels or words" in capsys.readouterr().err


def test_align_gives_every_utterance_a_file_of_its_own(exp, tmp_path, capsys):
    one = utterance(tmp_path, "u", ["aa"])
    write_manifest(tmp_path / "t.jsonl", [replace(one, id="a/b"), replace(one, id="a_b")])
    command = ["align", exp, tmp_path / "t.jsonl", "--out", tmp_path / "out", "--format"]
    assert run(*command, "textgrid") == 2
    assert "a/b and a_b would both be written as a_b" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    write_manifest(tmp_path / "t.jsonl", [replace(one, id="../up")])
    assert run(*command, "textgrid") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_up.TextGrid"]


def test_spot_inside_words_counts_what_is_inside_words(letters, tmp_path, capsys):
    write_manifest(tmp_path / "t.jsonl", [utterance(tmp_path, "x", "ONE NO", text="ONE NO")])
    (tmp_path / "keywords").write_text("N\n")
    arguments = ["spot", letters, tmp_path / "t.jsonl", "--keywords", tmp_path / "keywords"]
    assert run(*arguments, "--threshold", "0.001", "--inside") == 0
    assert "(all)                  2" in capsys.readouterr().out


def test_align_says_before_it_aligns_that_a_format_cannot_hold_an_id(exp, tmp_path, capsys):
    data = tmp_path / "test.jsonl"
    write_manifest(data, [replace(utterance(tmp_path, "u", ["aa"]), id="u 1")])
    assert main(["align", str(exp), str(data), "--out", str(tmp_path / "out")]) == 2
    assert "'u 1' has white space or parentheses, which end an id in .ctm; use --format" in (
        capsys.readouterr().err
    )


def test_ids_and_file_names_keep_to_their_line(letters, tmp_path, capsys):
    one = replace(utterance(tmp_path, "one", ["O", "N", "E"]), id="one\nutterance")
    write_manifest(tmp_path / "test.jsonl", [one])
    (tmp_path / "keywords").write_text("O\n")
    spot = ["spot", str(letters), str(tmp_path / "test.jsonl"), "--threshold", "1e-9", "--inside"]
    assert main([*spot, "--keywords", str(tmp_path / "keywords")]) == 0
    assert "one\\nutterance  O  " in capsys.readouterr().out
    sound = (tmp_path / "one.wav").rename(tmp_path / "two\nlines.wav")
    assert main(["read", str(letters), str(sound)]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path}/two\\nlines.wav: ")
    assert main([*spot, "--keywords", str(tmp_path / "keywords"), "--window", "inf"]) == 2
    assert "--window inf: must be more than 0 seconds" in capsys.readouterr().err


def test_symbols_that_the_model_lacks_stop_no_verb(letters, tmp_path, capsys):
    """They are named and counted by decode and score, and unknown words to a language model."""
    data, hypotheses = tmp_path / "test.jsonl", tmp_path / "hyp.jsonl"
    items = [utterance(tmp_path, "one", "ONE"), utterance(tmp_path, "four", "FOUR")]
    write_manifest(data, [replace(item, text="".join(item.labels)) for item in items])
    LETTERS.save(tmp_path / "alphabet.json")
    assert run("decode", letters, data, "--out", hypotheses) == 0
    header = json.loads(hypotheses.read_text().splitlines()[0])
    assert header["unseen"] == {"F": 1, "R": 1, "U": 1}
    assert run("score", data, hypotheses, "--out", tmp_path / "report") == 0
    assert "3 labels of the references are of symbols that the model" in capsys.readouterr().out
    scores = json.loads((tmp_path / "report" / "score.json").read_text())
    assert scores["unseen"] == {"F": 1, "R": 1, "U": 1}
    assert {row["label"]: row["correct"] for row in scores["labels"] if row["label"] in "FUR"} == {
        "F": 0, "R": 0, "U": 0
    }  # fmt: skip
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Symbols the model lacks" in page
    assert run("align", letters, data, "--out", tmp_path / "ctm") == 0
    (tmp_path / "text").write_text("ONE\nNO\n")
    arguments = ["--out", tmp_path / "lm.arpa", "--alphabet", tmp_path / "alphabet.json"]
    assert run("lm", tmp_path / "text", *arguments, "--order", "2", "--test", data) == 0
    assert "without 3 unknown ones" in capsys.readouterr().out
