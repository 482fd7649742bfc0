"""`seqlabel align` for transcripts that are not exact, on frames that say a known text."""

import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import seqlabel.recognizer
from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.corpora.manifest import Utterance, write_manifest
from seqlabel.decoding.alignment.aligner import Freedom, align
from seqlabel.decoding.alignment.transcripts import freedom_of, left_out, mark_words
from seqlabel.decoding.results import Span
from seqlabel.errors import InputError

ABC = Alphabet("abc. ", unit="character")
PHONES = Alphabet(["aa", "n"], unit="phone")
PIECES = Alphabet(["▁", "▁ab", "c", "c.", "▁ba"], unit="subword")
PERIOD = 0.01
RATE = 8000


def frames_of(text, unsure=(), alphabet=ABC):
    """Log-probabilities (2S + 1, K): a blank, then a frame for each label with a blank behind it.

    unsure: numbers of the labels whose frames say nothing.
    """
    rows = [0, *(k for label in alphabet.encode(text) for k in (label, 0))]
    frames = np.full((len(rows), len(alphabet)), 0.01)
    frames[np.arange(len(rows)), rows] = 1 - 0.01 * (len(alphabet) - 1)
    for n in unsure:
        frames[2 * n + 1] = 1 / len(alphabet)
    return np.log(frames)


@pytest.fixture
def align_verb(monkeypatch, tmp_path, capsys):
    """(what is said, what is written, options) -> (exit code, what is printed, folder).

    still: of a second utterance `v` like the first, all frames have the same time.
    """

    def run(said, written, *options, unsure=(), alphabet=ABC, still=False):
        frames = frames_of(said, unsure, alphabet)
        times = np.arange(len(frames)) * PERIOD
        outputs = {
            name: SimpleNamespace(log_probs=frames, times=t, period=PERIOD)
            for name, t in (("u", times), ("v", 0 * times))
        }
        model = SimpleNamespace(
            network=SimpleNamespace(per_label=True),
            kind="speech",
            alphabet=alphabet,
            outputs=lambda us: ((u, outputs[u.id]) for u in us),
        )
        monkeypatch.setattr(seqlabel.recognizer, "load", lambda name, device: model)
        source = tmp_path / "u.wav"
        duration = len(frames) * PERIOD
        soundfile.write(source, np.zeros(round(duration * RATE), np.int16), RATE)
        utterance = Utterance("u", source, "speech", tuple(written), duration=duration)
        items = [utterance, replace(utterance, id="v")] if still else [utterance]
        write_manifest(tmp_path / "t.jsonl", items)
        out = tmp_path / "out"
        code = main(
            ["align", "model", str(tmp_path / "t.jsonl"), "--out", str(out), *options]
        )  # fmt: skip
        printed = capsys.readouterr()
        return code, printed.out + printed.err, out

    return run


def row_of(folder):
    (line,) = (folder / "alignments.jsonl").read_text().splitlines()
    return json.loads(line)


def test_labels_without_duration_are_skipped_by_textgrid_alone(align_verb):
    code, printed, out = align_verb("ab", "ab", "--format", "textgrid", still=True)
    assert code == 0
    assert "2 labels of 1 utterances aligned" in printed
    assert "skipped: v: tier labels: 'a' has no duration" in printed
    assert [path.name for path in out.iterdir()] == ["u.TextGrid"]
    code, printed, _ = align_verb("ab", "ab", "--format", "json", still=True)
    assert code == 0
    assert "4 labels of 2 utterances aligned" in printed


def test_symbols_that_the_model_lacks_get_times_and_a_mark(align_verb):
    code, printed, _ = align_verb("ab ca", "ab £a", "--format", "json")
    assert (code, "'£'" in printed) == (2, True)
    code, printed, out = align_verb("ab ca", "ab £a", "--format", "json", "--wildcard")
    assert code == 0
    assert "unknown: 1 of 2 words" in printed
    row = row_of(out)
    assert [(e["label"], e["start"]) for e in row["labels"]] == [
        ("a", 0.01), ("b", 0.03), (" ", 0.05), ("£", 0.07), ("a", 0.09)
    ]  # fmt: skip
    assert [e.get("marks") for e in row["labels"]] == [None, None, None, ["unknown"], None]
    assert [(e["label"], e.get("marks")) for e in row["words"]] == [
        ("ab", None), ("£a", ["unknown"])
    ]  # fmt: skip


def test_words_below_the_threshold_are_marked(align_verb):
    options = "--format", "textgrid", "--threshold", "0.5"
    code, printed, out = align_verb("ab ca", "ab ca", *options, unsure=[3])
    assert code == 0
    assert "unsure: 1 of 2 words" in printed
    text = (out / "u.TextGrid").read_text()
    confidence, marks = text.split('name = "confidence"')[1].split('name = "marks"')
    assert confidence.count('text = "0.9') == 1
    assert 'text = "unsure"' in marks
    start = marks[: marks.index('text = "unsure"')].rsplit("xmin = ", 1)[1].split()[0]
    assert float(start) == pytest.approx(0.07)
    _, printed, out = align_verb("ab ca", "ab ca", "--format", "textgrid", unsure=[3])
    assert "unsure" not in printed
    assert "marks" not in (out / "u.TextGrid").read_text()


def test_confidence_of_words_is_that_of_their_worst_label(align_verb):
    _, _, out = align_verb("ab ca", "ab ca", "--format", "json", unsure=[4])
    row = row_of(out)
    labels = {n: entry["confidence"] for n, entry in enumerate(row["labels"])}
    assert [e["confidence"] for e in row["words"]] == [
        min(labels[0], labels[1]), min(labels[3], labels[4])
    ]  # fmt: skip
    assert labels[4] < 0.5 < labels[3]


def test_what_is_not_written_goes_between_sentences(align_verb):
    said = "ab. " + "cab bac " * 4 + "ca."
    _, _, out = align_verb(said, "ab. ca.", "--format", "json", "--stars", "sentences")
    assert [e["start"] for e in row_of(out)["words"]] == pytest.approx([0.01, 0.73])


def test_what_is_not_written_goes_to_the_ends(align_verb):
    said = "cc cbc cc " + "ab" + " cc cbc"
    _, _, out = align_verb(said, "ab", "--format", "json", "--stars", "ends")
    (word,) = row_of(out)["words"]
    assert (word["start"], word["end"]) == (pytest.approx(0.21), pytest.approx(0.24))


@pytest.mark.parametrize(
    ("written", "spoken", "missing"),
    [
        ("ab bbcbbcbb ca", "ab ca", "bbcbbcbb"),
        ("bbcbbcbb ab ca", "ab ca", "bbcbbcbb"),
        ("ab ca bbcbbcbb", "ab ca", "bbcbbcbb"),
    ],
)
def test_words_that_are_not_spoken_are_left_out(align_verb, written, spoken, missing):
    code, printed, out = align_verb(spoken, written, "--format", "json", "--skip-words")
    assert code == 0
    assert f"u: left out: {missing}" in printed
    row = row_of(out)
    assert row["left_out"] == [missing]
    assert [e["label"] for e in row["words"]] == spoken.split()
    assert [e["start"] for e in row["labels"]] == pytest.approx([0.01, 0.03, 0.05, 0.07, 0.09])


@pytest.mark.parametrize("written", ["ab bbcbbcbb cbcbbcbc", "ab cbcbbcbc bbcbbcbb abcabcabc"])
def test_no_separator_is_left_of_the_last_words(align_verb, written):
    code, _, out = align_verb("ab", written, "--format", "json", "--skip-words")
    assert code == 0
    row = row_of(out)
    assert row["left_out"] == written.split()[1:]
    assert [(e["label"], e["start"]) for e in row["labels"]] == [
        ("a", pytest.approx(0.01)), ("b", pytest.approx(0.03))
    ]  # fmt: skip


def test_an_exact_transcript_stays_as_it_is(align_verb):
    _, _, out = align_verb("ab. ca.", "ab. ca.", "--format", "json")
    exact = row_of(out)
    options = "--wildcard", "--stars", "words", "--skip-words", "--format", "json"
    _, printed, out = align_verb("ab. ca.", "ab. ca.", *options)
    free = row_of(out)
    assert "left out" not in printed
    assert [e["start"] for e in free["labels"]] == [e["start"] for e in exact["labels"]]


def test_a_recording_of_something_else_is_named(align_verb):
    code, printed, out = align_verb("." * 3, "abcabc cbacba", "--skip-words")
    assert code == 2
    assert "u: no word is heard; is the transcript another's?" in printed
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threshold", "1.5"], "--threshold 1.5: a probability is expected"),
        (["--threshold", "nan"], "--threshold nan: a probability is expected"),
        (["--threshold", "0.5"], "--format ctm cannot hold marks; use textgrid or json"),
    ],
)
def test_thresholds_that_cannot_be(align_verb, options, message):
    code, printed, out = align_verb("ab", "ab", *options)
    assert code == 2
    assert message in printed
    assert not out.exists()


def test_where_stars_and_words_lie():
    text = tuple("a.  b c. a")
    sentences = freedom_of(text, ABC, stars="sentences")
    assert sentences == Freedom(stars=(0, 4, 9, 10))
    assert freedom_of(text, ABC, stars="words").stars == (0, 4, 6, 9, 10)
    assert freedom_of(text, ABC, stars="ends").stars == (0, 10)
    assert freedom_of(text, ABC, skip_words=True).words == (
        (0, 4), (4, 6), (6, 9), (9, 10), (2, 5), (5, 8), (8, 10)
    )  # fmt: skip
    assert freedom_of((), ABC, stars="ends", skip_words=True) == Freedom(stars=(0,))
    assert freedom_of(("aa", "n"), PHONES, stars="ends").stars == (0, 2)
    for options in ({"stars": "sentences"}, {"stars": "words"}, {"skip_words": True}):
        with pytest.raises(InputError, match="which these phone labels are not"):
            freedom_of(("aa", "n"), PHONES, **options)


def test_words_of_which_every_label_is_left_out():
    labels = tuple("ab bbcbbcbb ca")
    freedom = freedom_of(labels, ABC, skip_words=True)
    found = align(frames_of("ab ca"), labels, ABC, freedom=freedom)
    assert left_out(labels, found) == ("bbcbbcbb",)


def test_both_marks_on_a_word():
    spans = [Span("a", 0, 1, 0.9), Span("£", 1, 2, 0.3), Span(" ", 2, 3, 0.1), Span("b", 3, 4, 0.5)]
    assert mark_words(spans, ABC, 0.5).marks == (("unknown", "unsure"), ())


PIECED = ("▁ab", "c.", "▁", "c", "▁ba", "c")


def test_subwords_are_put_together_to_words(align_verb):
    """In every format; a mark by itself is no part of the word that it begins."""
    run = partial(align_verb, PIECED, PIECED, alphabet=PIECES, unsure=[1])
    words = [("abc.", 0.01, 0.04), ("c", 0.07, 0.08), ("bac", 0.09, 0.12)]
    _, printed, out = run("--format", "json", "--threshold", "0.5")
    row = row_of(out)
    found = [(w["label"], w["start"], w["end"]) for w in row["words"]]
    assert found == [(name, pytest.approx(a), pytest.approx(b)) for name, a, b in words]
    confidence = [entry["confidence"] for entry in row["labels"]]
    assert [w["confidence"] for w in row["words"]] == [
        min(confidence[:2]), confidence[3], min(confidence[4:])
    ]  # fmt: skip
    assert "unsure: 1 of 3 words" in printed
    run("--format", "ctm")
    lines = [line.split() for line in (out / "words.ctm").read_text().splitlines()]
    assert [line[4] for line in lines] == ["abc.", "c", "bac"]
    assert [float(line[2]) for line in lines] == pytest.approx([a for _, a, _ in words])
    assert len((out / "labels.ctm").read_text().splitlines()) == len(PIECED)
    run("--format", "textgrid")
    tier = (out / "u.TextGrid").read_text().split('name = "words"')[1].split("name =")[0]
    assert [part.split('"')[0] for part in tier.split('text = "')[1:]] == [
        "", "abc.", "", "c", "", "bac", ""
    ]  # fmt: skip
    run("--format", "phn")
    assert (out / "u.wrd").read_text() == "80 320 abc.\n560 640 c\n720 960 bac\n"


def test_words_of_subwords_are_left_out_and_stars_stand_between_them(align_verb):
    written = (*PIECED[:4], "▁", *["c."] * 6, "▁ab", *["c."] * 6, *PIECED[4:])
    options = "--format", "json", "--skip-words"
    _, printed, out = align_verb(PIECED, written, *options, alphabet=PIECES)
    row = row_of(out)
    assert [w["label"] for w in row["words"]] == ["abc.", "c", "bac"]
    assert row["left_out"] == ["c.c.c.c.c.c.", "abc.c.c.c.c.c."]
    assert "left out: c.c.c.c.c.c. abc." in printed
    assert freedom_of(PIECED, PIECES, stars="words").stars == (0, 2, 4, 6)
    assert freedom_of(PIECED, PIECES, stars="sentences").stars == (0, 2, 6)
    assert freedom_of(PIECED, PIECES, skip_words=True).words == ((0, 2), (2, 4), (4, 6))


def test_pieces_without_a_mark_and_marks_without_a_word():
    spans = [Span(label, n, n + 1, 0.9) for n, label in enumerate(["c", "▁", "▁ab", "?", "▁"])]
    words = mark_words(spans, PIECES, 0.0)
    assert words.spans == (Span("c", 0, 1, 0.9), Span("ab?", 2, 4, 0.9))
    assert words.marks == ((), ("unknown",))
