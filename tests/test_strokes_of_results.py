"""Which ink became which letter, through the recognizer, and for scripts written to the left."""

import json

import numpy as np
import pytest

from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.features.front_end import FrontEnd, FrontEndOptions, make_extractor
from seqlabel.features.ink.delayed import delayed_strokes
from seqlabel.inputs import Ink
from seqlabel.recognizer import Recognizer
from seqlabel.scoring.transcripts.files import read_transcripts

LETTERS = Alphabet("אבגדהוזחטיכלמנסעפצקרשתםן abc", unit="character")


class Firing:
    """A network that fires labels at given frames, and the blank at all others."""

    subsample, per_label, takes_samples = 1, True, False

    def __init__(self, labels):
        self.labels = labels

    def __call__(self, x, lengths):
        outputs = np.full((*x.shape[:2], len(LETTERS)), -20.0, np.float32)
        outputs[:, :, 0] = -0.01
        for frame, label in self.labels.items():
            outputs[:, frame, 0] = -9.0
            outputs[:, frame, LETTERS.encode([label])[0]] = -0.01
        return outputs, lengths


def reader(labels, **options):
    extractor = make_extractor({"kind": "ink_raw", **options})
    return Recognizer(Firing(labels), LETTERS, FrontEnd(extractor, FrontEndOptions("none")))


def letter(left, at=0.0, width=4, height=20):
    """A bow of five points."""
    x = left + np.linspace(0, width, 5)
    y = np.array([0, height, height / 2, height, 0.0])
    return np.column_stack([x, y, at + np.arange(5) * 0.1])


@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("begin", [0.0, 1000.0])
def test_labels_know_their_strokes_with_and_without_times(times, begin):
    ink = Ink([letter(10 * n, begin + n) for n in range(4)])
    result = reader({2: "a", 8: "b", 13: " ", 17: "c"}, times=times).read(ink)
    assert result.text == "ab c"
    assert [span.strokes for span in result.spans] == [(0,), (1, 2), (), (3,)]
    evidence = reader({2: "a", 8: "b", 13: " ", 17: "c"}, times=times)
    output = evidence.output(ink)
    (found,) = evidence.decode([output])
    assert evidence.evidence(None, output, found).read_as == (0, 1, 1, 3)


def test_hebrew_is_read_in_the_order_of_writing():
    """The first letter of the text is the first that is written, and stands on the right."""
    text = "שלום"
    ink = Ink([letter(100 - 10 * n, n) for n in range(4)])
    result = reader({5 * n + 2: character for n, character in enumerate(text)}).read(ink)
    assert result.text == text
    assert result.labels == tuple(text)
    assert [span.strokes for span in result.spans] == [(0,), (1,), (2,), (3,)]
    left = [ink.strokes[span.strokes[0]][0, 0] for span in result.spans]
    assert left == sorted(left, reverse=True)


def test_delayed_strokes_of_writing_to_the_left_are_those_of_its_mirror():
    """A small high letter written beside the last one is none; a dot set above one before is."""
    letters = [letter(12 * n, n, width=8) for n in range(6)]
    small = np.array([[71.5, 0, 7.0], [72.5, 2, 7.1]])
    dot = np.array([[14.0, -6, 10.0], [15.0, -6, 10.1]])
    ink = Ink([*letters, small, letter(80, 9, width=8), dot])
    mirrored = ink.transformed([[-1, 0], [0, 1]])
    expected = [False] * 8 + [True]
    assert delayed_strokes(ink).tolist() == expected
    assert delayed_strokes(mirrored).tolist() == expected


def test_decode_and_read_write_the_strokes(tiny_corpus, config, tmp_path, capsys):
    from seqlabel.training.distribution import Workers
    from seqlabel.training.experiment import Experiment
    from seqlabel.training.run import train

    settings = ["phases=[{epochs=12, learning_rate=0.02}]", "model.hidden=24"]
    train(Experiment.load(config, settings), tiny_corpus, tmp_path / "exp", Workers())
    out = tmp_path / "hyp.jsonl"
    data = tiny_corpus / "test.jsonl"
    assert main(["decode", str(tmp_path / "exp"), str(data), "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()[1:]]
    sources = [json.loads(line) for line in data.read_text().splitlines()]
    files = [str(tiny_corpus / row["source"]) for row in sources]
    capsys.readouterr()
    assert main(["read", str(tmp_path / "exp"), *files, "--json"]) == 0
    read = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, one in zip(rows, read, strict=True):
        assert [span[4] for span in row["spans"]] == [span[4] for span in one["spans"]]
        assert all(isinstance(n, int) for span in row["spans"] for n in span[4])
    assert {t.labels for t in read_transcripts(out).by_id.values()} == {
        tuple(row["labels"]) for row in rows
    }
