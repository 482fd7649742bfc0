"""Evidence: what is kept, how it is written, and which ink belongs to which label."""

from pathlib import Path

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.report.evidence import (
    Evidence,
    assign_strokes,
    evidence_path,
    read_evidence,
    write_evidence,
)


def stroke(first: float, last: float) -> np.ndarray:
    t = np.arange(first, last + 1)
    return np.stack([t, -t, t], axis=1)


def test_labels_that_never_show_are_dropped():
    probabilities = np.array([[0.9, 0.019, 0.05], [0.3, 0.01, 0.69]])
    kept = Evidence.of_speech(probabilities, ("a", "b"), [0, 0.01], np.zeros(160), 8000)
    assert kept.labels == ("", "b")
    assert kept.posteriors.dtype == np.uint8
    np.testing.assert_allclose(kept.posteriors / 255, probabilities[:, [0, 2]], atol=0.5 / 255)


def test_posteriors_must_fit_the_alphabet():
    with pytest.raises(ValueError, match="do not fit 3 symbols"):
        Evidence.of_speech(np.ones((2, 3)), ("a", "b", "c"), [0, 1], np.zeros(8), 8000)


def test_sound_is_brought_down_to_16_khz_with_its_pitch():
    t = np.arange(44100) / 44100
    kept = Evidence.of_speech(
        np.ones((1, 2)), ("a",), [0], 0.5 * np.sin(2 * np.pi * 1000 * t), 44100
    )
    assert (kept.rate, len(kept.samples)) == (16000, 16000)
    expected = 0.5 * 32767 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(kept.samples, expected, atol=2)


def test_a_file_returns_what_was_written(tmp_path):
    rng = np.random.default_rng(0)
    spoken = Evidence.of_speech(
        rng.dirichlet(np.ones(4), 7),
        ("a", "ɛ", "<b>"),
        np.arange(7) * 0.03,
        rng.uniform(-1, 1, 500),
        16000,
        [("a", 0.0, 0.1), ("h#", 0.1, 0.2)],
    )
    drawn = Evidence.of_ink(
        rng.dirichlet(np.ones(3), 5),
        ("x", " "),
        np.arange(5),
        [stroke(0, 4), stroke(6, 6)],
        [("x", 1, 2), (" ", 6, 7)],
    )
    empty = Evidence.of_ink(np.zeros((0, 3)), ("x", "y"), [], [], [])
    written = {"utt/1": spoken, 'ink "2"\n': drawn, "": empty}
    write_evidence(tmp_path / "hyp.evidence.npz", written)
    found = read_evidence(tmp_path / "hyp.evidence.npz")
    assert list(found) == list(written)
    for key, item in written.items():
        for name in ("kind", "labels", "rate", "segments", "read_as", "tokens"):
            assert getattr(found[key], name) == getattr(item, name), name
        for name in ("posteriors", "times", "samples"):
            np.testing.assert_array_equal(getattr(found[key], name), getattr(item, name))
            assert getattr(found[key], name).dtype == getattr(item, name).dtype
        assert len(found[key].strokes) == len(item.strokes)
        for mine, theirs in zip(found[key].strokes, item.strokes, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    trap = np.array([print], dtype=object)  # a pickle: loading it would import what it names
    np.savez(tmp_path / "trap.npz", header=trap)
    with pytest.raises(InputError, match=r"trap\.npz: not an evidence file"):
        read_evidence(tmp_path / "trap.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_other_files_are_named(tmp_path, content):
    path = tmp_path / "hyp.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"hyp\.npz: not an evidence file"):
        read_evidence(path)
    with pytest.raises(InputError, match="no such file"):
        read_evidence(tmp_path / "absent.npz")


def test_arrays_that_disagree_are_refused(tmp_path):
    path = tmp_path / "hyp.npz"
    write_evidence(path, {"a": Evidence.of_speech(np.ones((3, 2)), ("a",), [0, 1, 2], [0], 8000)})
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["times0"] = arrays["times0"][:2]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="not an evidence file"):
        read_evidence(path)


def test_a_stroke_belongs_to_the_label_that_fires_in_it():
    pieces, read_as = assign_strokes([stroke(0, 9), stroke(12, 19)], [("a", 8, 9), ("b", 12, 13)])
    assert read_as == [0, 1]
    assert [len(piece) for piece in pieces] == [10, 8]


def test_a_stroke_without_a_label_joins_the_nearest_ink():
    # The dot of an i, after the stroke of the n: it stands above the i.
    dot = stroke(30, 31) + np.array([-26, 24, 0])
    _, read_as = assign_strokes([stroke(0, 9), stroke(12, 25), dot], [("i", 4, 5), ("n", 20, 21)])
    assert read_as == [0, 1, 0]


def test_joined_letters_are_cut_between_their_labels():
    # One stroke, labels firing at 4.5 and 14.5: the cut lies at 9.5, so 0..9 and 10..19, and
    # the first piece runs on to the first point of the second so that the line stays whole.
    pieces, read_as = assign_strokes([stroke(0, 19)], [("a", 4, 5), ("b", 14, 15)])
    assert read_as == [0, 1]
    assert [(piece[0, 0], piece[-1, 0]) for piece in pieces] == [(0, 10), (10, 19)]


def test_ink_read_as_nothing_is_kept():
    pieces, read_as = assign_strokes([stroke(0, 3), np.zeros((0, 3))], [])
    assert (len(pieces), read_as) == (1, [-1])


def test_names_with_dots_have_evidence_of_their_own():
    assert evidence_path(Path("a/beam0.5.jsonl")) == Path("a/beam0.5.evidence.npz")
    assert evidence_path(Path("beam0.5")) != evidence_path(Path("beam0.8"))
