"""Transcript files read, written, and refused."""

import json

import pytest

from seqlabel.corpora.nist import IGNORED
from seqlabel.errors import InputError
from seqlabel.scoring import Transcript, Transcripts, read_transcripts, score, write_transcripts

LABELS = {
    "spk1-u1": ("h#", "ax-h", "a"),
    "spk1-u2": (),
    "spk1-u3": ("<x2a>", "<space"),
    "spk2-u1": ("{", "@", "x*", "(y)", "a;b"),
}


def labels(transcripts):
    return {key: found.labels for key, found in transcripts.by_id.items()}


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", ["text", "a.trn", "a.jsonl", "a.stm", "text.txt"])
def test_labels_survive_every_format(tmp_path, name):
    write_transcripts(tmp_path / name, Transcripts.of("set", LABELS))
    assert labels(read_transcripts(tmp_path / name)) == LABELS


@pytest.mark.parametrize("name", ["text", "a.trn", "a.jsonl", "a.stm"])
def test_blanks_between_words_survive_every_format(tmp_path, name):
    characters = {"u": tuple("a c<x2a> ü")}
    write_transcripts(tmp_path / name, Transcripts.of("set", characters))
    found = read_transcripts(tmp_path / name)
    assert labels(found) == characters
    assert found.of_characters()
    assert score(found, characters, "wer").counts.reference_tokens == 3


def test_times_survive_ctm(tmp_path):
    spans = (("sil", 0.0, 0.25, 0.5), ("a b", 0.25, 1.0, 1.0))
    transcript = Transcript("u-1", ("sil", "a b"), spans=spans)
    write_transcripts(tmp_path / "a.ctm", Transcripts.gather("set", [transcript]))
    assert (tmp_path / "a.ctm").read_text() == (
        "u-1 1 0.000 0.250 sil 0.5000\nu-1 1 0.250 0.750 a<x20>b 1.0000\n"
    )
    found = read_transcripts(tmp_path / "a.ctm")
    assert (labels(found), found.by_id["u-1"].spans) == ({"u-1": ("sil", "a b")}, spans)
    with pytest.raises(InputError, match="utterance 'spk1-u1' has no times"):
        write_transcripts(tmp_path / "a.ctm", Transcripts.of("set", LABELS))
    assert len((tmp_path / "a.ctm").read_text().splitlines()) == 2  # the old file stays whole


def test_the_examples_of_sclites_documentation(tmp_path):
    path = written(
        tmp_path / "a.trn", "she had your dark suit in greasy  wash  water all year (cmh_sa01)\n"
    )
    assert read_transcripts(path).by_id["cmh_sa01"].labels[-3:] == ("water", "all", "year")
    path = written(
        tmp_path / "a.stm",
        ";; comment\n2345 A 2345-a 0.10 2.03 uh huh yes i thought\n"
        "2345 A 2345-b 2.10 3.04 dog walking is a very\n\n"
        "2345 A 2345-a 3.50 4.59 yes but it's worth it\n"
        "940328 1 A 4.00 18.10 <O,F,00> FROM LOS ANGELES\n",
    )
    found = read_transcripts(path)
    assert {key: (t.speaker, len(t.labels)) for key, t in found.by_id.items()} == {
        "2345-000010-000203": ("2345-a", 5),
        "2345-000210-000304": ("2345-b", 5),
        "2345-000350-000459": ("2345-a", 5),
        "940328": ("A", 3),
    }
    assert found.by_id["940328"].tags == {"subset": "O,F,00"}
    path = written(
        tmp_path / "a.ctm",
        ";;\n\n7654 A 11.34 0.2  YES -6.763\n7654 A 12.00 0.34 YOU -12.384530\n"
        "7654 A 13.30 0.5  CAN 2.806418\n7654 B 1.34 0.2  I -6.763\n7654 B 2.00 0.34 CAN\n",
    )
    assert labels(read_transcripts(path)) == {
        "7654-A": ("YES", "YOU", "CAN"),
        "7654-B": ("I", "CAN"),
    }


def test_recordings_are_cut_at_the_segments(tmp_path):
    """The counts are those that sclite 2.10 gives for these files: (C S D I) 2 0 0 1, 2 0 0 2."""
    reference = written(
        tmp_path / "r.stm",
        "rec A spk1 1.00 2.00 <o,f0> a b\n"
        "rec A spk2 2.00 2.50 IGNORE_TIME_SEGMENT_IN_SCORING\n"
        "rec A spk1 4.00 5.00 c d\n",
    )
    hypothesis = written(
        tmp_path / "h.ctm",
        "rec A 0.1 0.2 early\nrec A 1.1 0.2 a\nrec A 1.5 0.2 b 0.99\nrec A 2.2 0.2 ignored\n"
        "rec A 2.7 0.2 gap\nrec A 4.1 0.2 c\nrec A 4.95 0.2 d\nrec A 6.95 0.2 late\n",
    )
    report = score(reference, hypothesis, "plain")
    assert [u.hypothesis for u in report.utterances] == [
        ("early", "a", "b"), ("gap", "c", "d", "late"),
    ]  # fmt: skip
    assert (report.counts.correct, report.counts.errors) == (4, 3)
    assert report.skipped == {"rec A 2-2.5 s": "excluded by the reference"}
    other = written(tmp_path / "o.ctm", "other A 0.1 0.2 a\n")
    with pytest.raises(InputError, match="has no recording 'other'"):
        score(reference, other, "plain")


def test_segments_are_ignored_in_any_case(tmp_path):
    """As in TED-LIUM, and as sclite reads it."""
    lines = f"rec A s 0 5 <o> {IGNORED.lower()}\nrec A s 5 6 a\n"
    found = read_transcripts(written(tmp_path / "r.stm", lines))
    assert labels(found) == {"rec": ("a",)}
    assert [(part.start, part.end) for part in found.ignored] == [(0.0, 5.0)]


AB = "rec A s 0 5 a b\nrec B t 0 5 c d\n"


@pytest.mark.parametrize(
    ("stm", "ctm", "expected"),
    [
        # The same channels, in any order.
        (AB, "rec B 1 .1 c\nrec A 1 .1 a\n", {"rec-A": ("a",), "rec-B": ("c",)}),
        # One of the two has no hypothesis.
        (AB, "rec A 1 .1 a\n", {"rec-A": ("a",), "rec-B": ()}),
        (AB, "rec B 1 .1 c\n", {"rec-A": (), "rec-B": ("c",)}),
        # 1 is A and 2 is B; case does not matter.
        (AB, "rec 2 1 .1 c\n", {"rec-A": (), "rec-B": ("c",)}),
        ("rec A s 0 5 a\n", "rec 1 1 .1 a\n", {"rec": ("a",)}),
        ("REC b s 0 5 a\n", "rec B 1 .1 a\n", {"REC": ("a",)}),
        # The same name goes before a similar one.
        ("r A s 0 5 a\nR A s 0 5 b\n", "R A 1 .1 b\nr A 1 .1 a\n", {"r": ("a",), "R": ("b",)}),
        # No segment is there for channel B, or none that counts.
        ("rec A s 0 5 a\n", "rec A 1 .1 a\nrec B 1 .1 x\n", {"rec": ("a",)}),
        (
            f"rec A s 0 5 a\nrec B s 0 5 {IGNORED}\n",
            "rec A 1 .1 a\nrec B 1 .1 x\n",
            {"rec-A": ("a",)},
        ),
        # Two channels that would fit, of which none has the same name, are not guessed.
        ("rec a s 0 5 a\nq 1 s 0 5 q\n", "rec A 1 .1 a\nrec 1 1 .1 x\nq 1 1 .1 q\n",
         {"rec": (), "q": ("q",)}),
    ],
)  # fmt: skip
def test_channels_are_kept_apart(tmp_path, stm, ctm, expected):
    reference, hypothesis = written(tmp_path / "r.stm", stm), written(tmp_path / "h.ctm", ctm)
    report = score(reference, hypothesis, "plain", allow_missing=True)
    assert {u.id: u.hypothesis for u in report.utterances} == expected
    assert report.missing == tuple(key for key, read in expected.items() if not read)


@pytest.mark.parametrize(
    ("stm", "ctm", "message"),
    [
        ("rec B s 0 5 d e f\n", "rec A 1 .1 d\n", "no channel 'A' of recording 'rec', but 'B'"),
        ("rec B s 0 5 d e f\n", "rec 1 1 .1 d\n", "no channel '1' of recording 'rec', but 'B'"),
        (AB, "rec A 1 .1 a\n", r"1 of the 2 utterances .* \('rec-B'\); --allow-missing scores"),
        (AB, "rec C 1 .1 a\n", "no channel 'C' of recording 'rec', but 'A', 'B'; name them alike"),
        (AB, "other A 1 .1 a\n", "no recording 'other'; --allow-missing leaves it out"),
    ],
)
def test_other_channels_are_refused(tmp_path, stm, ctm, message):
    reference, hypothesis = written(tmp_path / "r.stm", stm), written(tmp_path / "h.ctm", ctm)
    with pytest.raises(InputError, match=message):
        score(reference, hypothesis, "plain")


def test_a_channel_without_reference_is_left_out_on_request(tmp_path):
    reference = written(tmp_path / "r.stm", "rec B s 0 5 d\nq 1 s 0 5 q\n")
    hypothesis = written(tmp_path / "h.ctm", "rec A 1 .1 x\nq 1 1 .1 q\n")
    report = score(reference, hypothesis, "plain", allow_missing=True)
    assert (report.counts.correct, report.counts.deletions, report.counts.errors) == (1, 1, 1)
    assert (report.missing, report.skipped) == (("rec",), {"rec A": "no reference"})
    with pytest.raises(InputError, match="it has no utterance of"):
        score(reference, written(tmp_path / "o.ctm", "rec A 1 .1 d\n"), "plain", allow_missing=True)


def test_channels_survive_stm_and_ctm(tmp_path):
    stm = f"rec A s 5.000 6.000 {IGNORED}\nrec A s 0.000 5.000 a\nrec B t 0.000 5.000 c\n"
    ctm = "rec A 1.000 0.100 a 1.0000\nrec B 1.000 0.100 c 1.0000\n"
    reference, hypothesis = written(tmp_path / "r.stm", stm), written(tmp_path / "h.ctm", ctm)
    write_transcripts(tmp_path / "r2.stm", read_transcripts(reference))
    write_transcripts(tmp_path / "h2.ctm", read_transcripts(hypothesis))
    assert (tmp_path / "r2.stm").read_text() == stm.replace("A s 5.000 6.000", "A rec 5.000 6.000")
    assert (tmp_path / "h2.ctm").read_text() == ctm


def test_a_manifest_brings_speakers_tags_kind_and_unit(tmp_path):
    row = {"id": "u", "source": "u.wav", "kind": "speech", "labels": ["aa"], "text": "",
           "speaker": "s1", "tags": {"sex": "f"}, "duration": 1.5}  # fmt: skip
    path = written(tmp_path / "test.jsonl", json.dumps(row))
    (tmp_path / "alphabet.json").write_text('{"unit": "phone", "blank": 0, "symbols": ["aa"]}')
    found = read_transcripts(path)
    assert (found.kind, found.unit) == ("speech", "phone")
    assert found.by_id["u"] == Transcript("u", ("aa",), "", "s1", {"sex": "f"}, 1.5)
    assert score(path, {"u": ["aa"]}).protocol == "kaldi"


def test_a_hypothesis_file_may_have_a_header(tmp_path):
    path = written(
        tmp_path / "hyp.jsonl",
        '{"decoder": "beam 100", "model": "exp/a", "unit": "word"}\n'
        '{"id": "u", "labels": ["the"], "spans": [["the", 0.1, 0.3, 0.9]], "log_prob": -1}\n',
    )
    found = read_transcripts(path)
    assert found.header["model"] == "exp/a"
    assert found.by_id["u"].spans == (("the", 0.1, 0.3, 0.9),)
    report = score({"u": "the"}, path)
    assert (report.decoder, report.system["model"], report.metric) == ("beam 100", "exp/a", "WER")
    assert report.name == "hyp"


def test_kaldi_text_takes_speakers_from_its_folder(tmp_path):
    written(tmp_path / "text", "u1 a b\nu2\n")
    written(tmp_path / "utt2spk", "u1 s1\nu2 s2\n")
    written(tmp_path / "spk2gender", "s1 f\n")
    found = read_transcripts(tmp_path / "text").by_id
    assert [(t.labels, t.speaker, t.tags) for t in found.values()] == [
        (("a", "b"), "s1", {"sex": "f"}), ((), "s2", {}),
    ]  # fmt: skip


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_text(tmp_path):
    path = written(tmp_path / "a.trn", "\ufeffa b (u1)\r\nc (u2)\r\n")
    assert labels(read_transcripts(path)) == {"u1": ("a", "b"), "u2": ("c",)}
    path = written(tmp_path / "a.jsonl", '\ufeff{"id": "u1", "labels": ["a"]}\r\n')
    assert labels(read_transcripts(path)) == {"u1": ("a",)}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.trn", "a b (u1)\na b\n", r"a\.trn:2: no utterance id"),
        ("a.trn", "a (u1)\nb (u1)\n", "utterance 'u1' occurs twice"),
        ("a.trn", "\n;; nothing\n", "no utterances"),
        ("a.trn", "i've { um / uh / @ } as (u1)\n", "alternatives in braces"),
        ("a.ctm", "rec A 0.1 x a\n", r"a\.ctm:1: expected: recording channel start"),
        ("a.ctm", "rec A 0.1\n", r"a\.ctm:1: expected"),
        ("a.ctm", "rec A nan 0.1 a\n", r"a\.ctm:1: expected"),
        ("a.ctm", "rec A 0.1 inf a\n", r"a\.ctm:1: expected"),
        ("a.stm", "rec A s 0.1 inf a\n", r"a\.stm:1: expected"),
        ("a.stm", "rec A s 0.1 z a\n", r"a\.stm:1: expected"),
        ("a.stm", "rec A s 2.0 1.0 a\n", "ends at 1.0, not after its start 2.0"),
        ("a.stm", "rec A s 1.0 2.0 a\nrec A s 1.0 2.0 a\n", "occurs twice"),
        ("text", "u1 a\nu1 b\n", "utterance 'u1' occurs twice"),
        ("a.jsonl", '{"id": "u", "labels": ["a"]}\n{"id": "u", "labels": []}', "occurs twice"),
        ("a.jsonl", '{"id": "u", "labels": ["a"]}\n{"labels": ["a"]}', r'a\.jsonl:2: "id" must'),
        ("a.jsonl", '{"id": 7, "labels": ["a"]}', '"id" must be a non-empty string'),
        ("a.jsonl", '{"id": "u"}', "neither"),
        ("text", '{"id": "u", "labels": ["a"]}\n', r"text:1: JSON.* must end in \.jsonl"),
        ("a.jsonl", '{"id": "u", "labels": "abc"}', '"labels" must be a list of non-empty'),
        ("a.jsonl", '{"id": "u", "labels": [1]}', '"labels" must be a list of non-empty'),
        ("a.jsonl", '{"id": "u", "labels": ["a", ""]}', '"labels" must be a list of non-empty'),
        ("a.jsonl", '{"id": "u", "labels": ["\\ud800"]}', r"a\.jsonl:1: .*an unpaired surrogate"),
        ("a.jsonl", '{"id": "u", "labels": ["a"], "spans": [["a", NaN, 1]]}', '"spans"'),
        ("a.jsonl", '{"id": "u", "labels": [], "text": 3}', '"text" must be a string'),
        ("a.jsonl", '{"id": "u", "labels": [], "duration": "long"}', '"duration" must be'),
        ("a.jsonl", '{"id": "u", "labels": ["a"], "spans": [["a"]]}', '"spans"'),
        ("a.jsonl", '{"id": "u", "labels": ["a"', r"a\.jsonl:1: not JSON"),
    ],
)
def test_malformed_files_are_refused_with_their_line(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read_transcripts(written(tmp_path / name, text))


@pytest.mark.parametrize("name", ["a.trn", "a.jsonl", "text"])
def test_other_encodings_are_refused(tmp_path, name):
    for encoding in ("latin-1", "utf-16"):
        with pytest.raises(InputError, match="not UTF-8"):
            read_transcripts(written(tmp_path / name, "u1 naïve (u1)\n", encoding))


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_transcripts(tmp_path / "absent.trn")
    with pytest.raises(InputError, match="is a folder"):
        read_transcripts(tmp_path)


def test_ids_that_a_format_cannot_hold_are_refused(tmp_path):
    for key in ("a b", "a(1)"):
        with pytest.raises(InputError, match="white space or parentheses"):
            write_transcripts(tmp_path / "a.trn", Transcripts.of("set", {key: ["a"]}))
        write_transcripts(tmp_path / "a.jsonl", Transcripts.of("set", {key: ["a"]}))
        assert labels(read_transcripts(tmp_path / "a.jsonl")) == {key: ("a",)}
