"""The synthetic corpus of scanned lines, and the reader of its layout, which is that of IAM."""

import json
import shutil

import numpy as np
import pytest

from seqlabel.cli import main
from seqlabel.corpora import iam
from seqlabel.corpora.iam import Options
from seqlabel.errors import InputError
from seqlabel.inputs import read_image
from seqlabel.inputs.ink import Ink
from seqlabel.synthetic.image import ImageCorpus, Pen, draw, write_corpus

SMALL = ImageCorpus(lines=(7, 2, 2, 3), writers=(3, 1, 1, 2), seed=4)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "iam"
    assert write_corpus(folder, SMALL)
    return folder


@pytest.fixture
def corpus(written, tmp_path):
    return shutil.copytree(written, tmp_path / "iam")


def test_the_same_options_give_the_same_corpus(written, tmp_path):
    again = tmp_path / "again"
    write_corpus(again, SMALL)
    files = sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((written / path).read_bytes() == (again / path).read_bytes() for path in files)
    assert write_corpus(again, SMALL) is False
    with pytest.raises(InputError, match="already has another corpus"):
        write_corpus(again, ImageCorpus(lines=(7, 2, 2, 3), writers=(3, 1, 1, 2), seed=5))


def test_the_layout_is_that_of_iam(written):
    assert (written / "lines/a00/a00-000u/a00-000u-00.png").is_file()
    rows = (written / "ascii/lines.txt").read_text().splitlines()
    columns = rows[1].split()
    assert columns[0] == "a00-000u-00"
    assert columns[1] == "ok"
    pixels = read_image(written / "lines/a00/a00-000u/a00-000u-00.png").pixels
    assert [int(columns[7]), int(columns[6])] == list(pixels.shape)


def test_the_reader_finds_the_sets_their_texts_and_writers(written):
    prepared = iam.prepare(written, Options())
    sizes = {name: len(utterances) for name, utterances in prepared.splits.items()}
    assert sizes == {"train": 7, "dev": 2, "dev2": 2, "test": 3}
    assert prepared.kind == "image"
    assert not prepared.notes
    writers = {name: {u.speaker for u in us} for name, us in prepared.splits.items()}
    assert len(writers["train"]) == 2  # seven lines are two forms
    assert not writers["train"] & writers["test"]
    first = prepared.splits["train"][0]
    assert first.text == "".join(first.labels)
    assert "|" not in "".join(u.text for u in prepared.splits["train"])


def test_outer_folders_of_the_archives_are_entered(corpus, tmp_path):
    outer = tmp_path / "download" / "data"
    outer.parent.mkdir()
    corpus.rename(outer)
    assert iam.prepare(outer.parent, Options()).splits["train"]


def test_blanks_of_the_text_are_bars_in_the_file(corpus):
    path = corpus / "ascii" / "lines.txt"
    rows = path.read_text().splitlines()
    rows[1] = "a00-000u-00 err 154 19 408 746 1661 89 A|MOVE|to|stop|Mr.|Gaitskell|,"
    path.write_text("\n".join(rows))
    first = iam.prepare(corpus, Options()).splits["train"][0]
    assert first.text == "A MOVE to stop Mr. Gaitskell ,"
    assert first.tags == {"segmentation": "err"}


def cut(corpus):
    path = corpus / "lines/a00/a00-000u/a00-000u-01.png"
    path.write_bytes(path.read_bytes()[:200])


def missing_text(corpus):
    path = corpus / "ascii" / "lines.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))


def odd_row(corpus):
    (corpus / "ascii" / "lines.txt").write_text("a00-000u-00 ok 3 text\n")


def twice(corpus):
    path = corpus / "ascii" / "lines.txt"
    path.write_text(path.read_text() + path.read_text().splitlines()[1])


def odd_list(corpus):
    (corpus / "testset.txt").write_text("lines!\n")


def no_list(corpus):
    (corpus / "testset.txt").unlink()


def no_image(corpus):
    (corpus / "lines/a00/a00-000u/a00-000u-00.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (cut, "a00-000u-01.png: a damaged image"),
        (missing_text, "in a set list, but not in lines.txt"),
        (odd_row, "lines.txt:1: expected: line, ok or err"),
        (twice, "occurs twice"),
        (odd_list, "'lines!' in a set list is not a line"),
        (no_list, "no testset.txt"),
        (no_image, "no such file"),
    ],
)
def test_corpora_that_are_refused(corpus, spoil, reason):
    spoil(corpus)
    with pytest.raises(InputError, match=reason) as caught:
        iam.prepare(corpus, Options())
    assert "\n" not in str(caught.value)


def test_bad_lines_may_be_left_out(corpus):
    cut(corpus)
    prepared = iam.prepare(corpus, Options(skip_bad=True))
    assert list(prepared.skipped) == ["a00-000u-01"]
    assert len(prepared.splits["train"]) == 6


def test_another_folder_is_no_iam(tmp_path):
    with pytest.raises(InputError, match="does not contain IAM"):
        iam.prepare(tmp_path, Options())


def test_pen_noise_and_background_show():
    ink = Ink([[[0, 0, 0], [300, 0, 1]], [[0, 200, 2], [300, 200, 3]]])
    clean = ImageCorpus(slant=0, noise=0, background=0)

    def dark(width, darkness=1.0, options=clean):
        return draw(ink, Pen(width, darkness), options, np.random.default_rng(3)).pixels

    thin, thick = (dark(width) for width in (1.5, 4.0))
    for pixels, width in ((thin, 1.5), (thick, 4.0)):
        column = 1 - pixels[:, pixels.shape[1] // 2]
        assert column.sum() == pytest.approx(2 * width, rel=0.2)
    assert thin.max() == 1
    assert dark(3, 0.5).min() == pytest.approx(0.5, abs=0.01)
    assert dark(3, options=ImageCorpus(slant=0, noise=0, background=0.5)).max() < 1
    noisy = dark(1.5, options=ImageCorpus(slant=0, noise=0.2, background=0))
    assert noisy[0].std() > 0.005


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pen": (3.0, 1.0)}, "the smaller first"),
        ({"noise": 0.9}, "noise in 0 ... 0.5"),
        ({"background": 1.0}, "background in 0 ... 1"),
        ({"lines": (0, 1, 1, 1)}, "lines and writers must be"),
    ],
)
def test_options_that_are_refused(options, reason):
    with pytest.raises(InputError, match=reason):
        ImageCorpus(**options)


def test_the_verbs_go_together(tmp_path, capsys):
    out, data = tmp_path / "iam", tmp_path / "data"
    small = ["--lines", "6", "--dev-lines", "2", "--test-lines", "2", "--writers", "6"]
    assert main(["synth", "image", str(out), *small, "--pen", "2", "2", "--words"]) == 0
    assert (out / "words.txt").is_file()
    assert json.loads((out / "synth.json").read_text())["pen"] == [2, 2]
    assert main(["prepare", "iam", str(out), str(data)]) == 0
    assert main(["check", str(data)]) == 0
    assert "no problems" in capsys.readouterr().out
    picture = tmp_path / "line.svg"
    assert main(["show", str(data / "train.jsonl"), "--count", "1", "--out", str(picture)]) == 0
    assert picture.stat().st_size > 1000
