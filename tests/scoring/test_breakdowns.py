"""Tables of a report: by person, tag, length, class, word and label."""

from dataclasses import replace

import numpy as np

from seqlabel.report import report_to_text
from seqlabel.scoring import Transcript, Transcripts, score

SPOKEN = {
    "u1": ("sil b iy sil", "sil b ih sil", "s1", {"sex": "m", "region": "dr1"}),
    "u2": ("sil b iy n t sil", "sil b iy t", "s2", {"sex": "f", "region": "dr1"}),
    "u3": ("sil iy sil", "sil iy sil", "s1", {"sex": "m", "region": "dr2"}),
    "u4": ("b", "b iy", "s3", {"region": "dr2"}),
}


def report(kind="speech", **options):
    references = Transcripts.gather(
        "ref",
        (
            Transcript(key, tuple(labels.split()), speaker=speaker, tags=tags)
            for key, (labels, _, speaker, tags) in SPOKEN.items()
        ),
    )
    read = {key: labels.split() for key, (_, labels, _, _) in SPOKEN.items()}
    return score(replace(references, unit="phone", kind=kind), read, **options)


def rows(table):
    return {g.name: (g.utterances, g.counts.reference_tokens, g.counts.errors) for g in table}


def test_by_person_and_tag_worst_first():
    tables = report().breakdowns
    assert rows(tables["speaker"]) == {"s3": (1, 1, 1), "s2": (1, 6, 2), "s1": (2, 7, 1)}
    assert [g.name for g in tables["speaker"]] == ["s3", "s2", "s1"]
    assert rows(tables["sex"]) == {"(not named)": (1, 1, 1), "f": (1, 6, 2), "m": (2, 7, 1)}
    assert rows(tables["region"]) == {"dr1": (2, 10, 3), "dr2": (2, 4, 1)}
    assert "writer" not in tables


def test_a_tag_takes_the_place_of_no_table():
    tags = {"a": {"speaker": "x", "length": "long"}, "b": {"speaker": "y", "length": "short"}}
    references = Transcripts.gather(
        "ref", [Transcript(key, ("k",), speaker=f"s{key}", tags=tags[key]) for key in tags]
    )
    tables = score(references, {"a": ["k"], "b": []}).breakdowns
    assert {*rows(tables["speaker"])} == {"sa", "sb"}
    assert {*rows(tables["tag speaker"])} == {"x", "y"}
    assert {*rows(tables["tag length"])} == {"long", "short"}


def test_writers_of_ink_are_numbered_because_their_ids_may_be_names():
    found = report(kind="ink")
    assert rows(found.breakdowns["writer"]) == {
        "writer 3": (1, 1, 1), "writer 2": (1, 6, 2), "writer 1": (2, 7, 1),
    }  # fmt: skip
    assert found.interval.over == "writers"
    assert "s1" not in report_to_text(found)
    assert "speaker" not in found.breakdowns


def test_by_length_shortest_first():
    table = report().breakdowns["length"]
    assert [(g.name, g.utterances) for g in table] == [("1-5", 3), ("6-10", 1)]
    many = score({"u": ["a"] * 300, "v": []}, {"u": ["a"] * 300, "v": []})
    assert [g.name for g in many.breakdowns["length"]] == ["0", "161+"]


def test_by_phone_class():
    table = rows(report().breakdowns["class"])
    assert table == {
        "vowels": (4, 3, 2),  # iy read as ih in u1, iy inserted in u4
        "nasals": (1, 1, 1),
        "silence and closures": (3, 6, 1),
        "stops": (3, 4, 0),
    }


def test_every_table_adds_up_to_the_totals():
    found = report()
    for name, table in found.breakdowns.items():
        assert sum(g.counts.errors for g in table) == found.counts.errors, name
        assert sum(g.counts.reference_tokens for g in table) == found.counts.reference_tokens, name


def test_tables_of_one_row_are_left_out():
    found = score({"u": ["a"], "v": ["a"]}, {"u": ["a"], "v": ["b"]})
    assert found.breakdowns == {}


def test_by_reference_word():
    found = score({"u": "the cat the", "v": "a dog"}, {"u": "the hat", "v": "a dog too"}, "wer")
    assert rows(found.breakdowns["word"]) == {
        "cat": (1, 1, 1), "the": (1, 2, 1), "too": (1, 0, 1), "a": (1, 1, 0), "dog": (1, 1, 0),
    }  # fmt: skip


def test_by_reference_word_from_characters():
    found = score({"u": "the cat", "v": "the dog"}, {"u": "tha cat", "v": "xthe dogg"}, "cer")
    assert rows(found.breakdowns["word"]) == {"the": (2, 6, 2), "dog": (1, 3, 1), "cat": (1, 3, 0)}


def test_labels_and_confusions():
    found = report()
    labels = {s.label: (s.reference, s.hypothesis, s.correct) for s in found.labels}
    assert labels == {
        "sil": (6, 5, 5), "iy": (3, 3, 2), "b": (3, 3, 3), "t": (1, 1, 1), "n": (1, 0, 0),
        "ih": (0, 1, 0),
    }  # fmt: skip
    by_label = {s.label: s for s in found.labels}
    assert (by_label["iy"].precision, by_label["iy"].recall) == (2 / 3, 2 / 3)
    assert (by_label["ih"].precision, by_label["ih"].recall) == (0, 0)
    assert (by_label["n"].precision, by_label["n"].recall) == (0, 0)
    assert found.top_confusions() == [
        ("", "iy", 1), ("iy", "ih", 1), ("n", "", 1), ("sil", "", 1)
    ]  # fmt: skip
    assert found.top_confusions(2) == [("", "iy", 1), ("iy", "ih", 1)]


def test_the_confusion_matrix_holds_every_label():
    found = report()
    labels, matrix = found.confusion_matrix()
    assert labels == ("b", "ih", "iy", "n", "sil", "t", "")
    assert matrix.sum(axis=1)[:-1].tolist() == [3, 0, 3, 1, 6, 1]
    assert np.trace(matrix) == found.counts.correct
    assert matrix[-1].sum() == found.counts.insertions
    assert matrix[:, -1].sum() == found.counts.deletions
    assert matrix[labels.index("iy"), labels.index("ih")] == 1


def test_optional_silence_is_no_confusion():
    found = score({"u": ["sil", "b"]}, {"u": ["b"]}, "kaldi-optional-sil")
    assert found.counts.errors == 0
    assert found.top_confusions() == []


def test_the_worst_utterances_come_first():
    assert [u.id for u in report().worst()] == ["u4", "u2", "u1", "u3"]
    assert report().sentence_errors == 3
