"""IAM-OnDB: folders as users keep them, CSR blocks, set lists, known bad lines, writers."""

import shutil

import numpy as np
import pytest

from seqlabel.corpora import iam_ondb
from seqlabel.corpora.iam_ondb import Options, prepare
from seqlabel.errors import InputError
from seqlabel.inputs import Ink
from seqlabel.inputs.formats.iam_xml import write_iam_xml

FORMS = {
    "a01-000u": ["A MOVE to", "stop Mr ."],
    "a01-001": ["Labour"],
    "b02-010z": ["life  Peers", "is to be"],
    "c03-003x": ["more"],
}
SETS = {
    "trainset": ["a01-000u", "a01-001"],
    "testset_v": ["b02-010z"],
    "testset_t": [],
    "testset_f": ["c03-003x"],
}


def write_form(root, form, texts, strokes="lineStrokes", ascii_="ascii"):
    """Line files and transcription of one form; OCR differs from CSR."""
    base = form if form[-1].isdigit() else form[:-1]
    place = f"{base.split('-')[0]}/{base}"
    for number, text in enumerate(texts, 1):
        points = np.array([[0, 0, 1.0], [5, 3, 1.5], [9, 9, 1.5 + len(text) / 10]])
        path = root / strokes / place / f"{form}-{number:02}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_iam_xml(path, Ink([points]))
    path = root / ascii_ / place / f"{form}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("OCR:\n\nas printed\n\n\nCSR:\n\n" + "\n".join(texts) + "\n\n")


@pytest.fixture
def tiny(tmp_path):
    for form, texts in FORMS.items():
        write_form(tmp_path, form, texts)
    for name, forms in SETS.items():
        (tmp_path / f"{name}.txt").write_text("".join(f" {form}\n" for form in forms))
    return tmp_path


def ids(prepared):
    return {name: [u.id for u in utterances] for name, utterances in prepared.splits.items()}


EXPECTED = {
    "train": ["a01-000u-01", "a01-000u-02", "a01-001-01"],
    "dev": ["b02-010z-01", "b02-010z-02"],
    "dev2": [],
    "test": ["c03-003x-01"],
}


def test_lines_and_their_texts(tiny):
    prepared = prepare(tiny, Options())
    assert ids(prepared) == EXPECTED
    line = prepared.splits["dev"][0]
    assert line.text == "life Peers"
    assert line.labels == tuple("life Peers")
    assert line.duration == pytest.approx(0.5 + len("life  Peers") / 10)
    assert line.kind == "ink"
    characters = {character for line in prepared.splits["train"] for character in line.text}
    assert prepared.alphabet.symbols == tuple(sorted(characters))
    assert set(prepared.unseen) == {"dev", "test"}
    assert list(prepared.unseen["dev"].items())[:3] == [("e", 4), ("i", 2), ("P", 1)]
    assert any("writers unknown" in note for note in prepared.notes)


def test_folders_as_users_keep_them(tiny):
    """The archives' outer folders, the lists in a folder of their own."""
    for name in ("lineStrokes", "ascii"):
        (tiny / f"{name}-all").mkdir()
        shutil.move(tiny / name, tiny / f"{name}-all" / name)
    (tiny / "iamondb" / "task1").mkdir(parents=True)
    for path in list(tiny.glob("*.txt")):
        shutil.move(path, tiny / "iamondb" / "task1" / path.name)
    for name in ("lineStrokes-all", "ascii-all"):
        shutil.move(tiny / name, tiny / "iamondb" / name)
    assert ids(prepare(tiny, Options())) == EXPECTED


def test_two_tasks_need_a_choice(tiny):
    for task in ("task1", "task2"):
        (tiny / task).mkdir()
        for name in SETS:
            shutil.copy(tiny / f"{name}.txt", tiny / task)
    for name in SETS:
        (tiny / f"{name}.txt").unlink()
    with pytest.raises(InputError, match="in task1 and task2; choose one with --set lists="):
        prepare(tiny, Options())
    assert ids(prepare(tiny, Options(lists="task2"))) == EXPECTED


def test_the_fourth_list_is_optional_the_others_are_not(tiny):
    (tiny / "testset_t.txt").unlink()
    assert "dev2" not in prepare(tiny, Options()).splits
    (tiny / "testset_f.txt").unlink()
    with pytest.raises(InputError, match=r"no testset_f\.txt"):
        prepare(tiny, Options())


@pytest.mark.parametrize("texts", ["one\ntwo\n", "one\n"])
def test_forms_whose_lines_are_not_those_of_the_text_are_skipped_by_name(tiny, texts):
    """Also where the numbers of lines agree, and each would get the text of the one before."""
    (tiny / "lineStrokes/a01/a01-000/a01-000u-01.xml").unlink()
    (tiny / "ascii/a01/a01-000/a01-000u.txt").write_text(f"CSR:\n\n{texts}")
    prepared = prepare(tiny, Options())
    lines = texts.count("\n")
    assert prepared.skipped == {
        "a01-000u": f"{lines} lines of text, but stroke files for the lines 2"
    }
    assert ids(prepared)["train"] == ["a01-001-01"]


def test_known_bad_lines_are_skipped_by_name(tiny):
    write_form(tiny, "h02-037", ["one", "two"])
    write_form(tiny, "z01-000z", ["no text"])
    (tiny / "trainset.txt").write_text(" a01-001\n h02-037\n z01-000z\n")
    prepared = prepare(tiny, Options())
    assert prepared.skipped == {"h02-037-02": "corrupt stroke", "z01-000z": "the form has no text"}
    assert ids(prepared)["train"] == ["a01-001-01", "h02-037-01"]


def test_lines_are_ordered_by_number(tiny):
    texts = [str(n) for n in range(1, 12)]
    write_form(tiny, "d04-004z", texts)
    for number in range(1, 12):  # unpadded, so that the order of names is another
        path = tiny / f"lineStrokes/d04/d04-004/d04-004z-{number:02}.xml"
        path.rename(path.with_name(f"d04-004z-{number}.xml"))
    (tiny / "testset_f.txt").write_text(" d04-004z\n")
    lines = prepare(tiny, Options()).splits["test"]
    assert [(u.id.split("-")[-1], u.text) for u in lines] == [(text, text) for text in texts]


def test_bad_ink_is_skipped_or_stops(tiny):
    path = tiny / "lineStrokes/a01/a01-000/a01-000u-02.xml"
    path.write_text(path.read_text()[:200])
    prepared = prepare(tiny, Options())
    assert str(path) in prepared.skipped["a01-000u-02"]
    with pytest.raises(InputError, match="a01-000u-02"):
        prepare(tiny, Options(skip_bad=False))


@pytest.mark.parametrize("source", ["forms.txt", "original"])
def test_writers(tiny, source):
    if source == "forms.txt":
        (tiny / "forms.txt").write_text(
            "# form writer\na01-000u 10001\na01-001 10001\nc03-003x 7\n"
        )
    else:
        for form, letter, writer in (
            ("a01-000", "u", 10001),
            ("a01-001", "", 10001),
            ("c03-003", "x", 7),
        ):
            path = tiny / "original" / form[:3] / form / f"strokes{letter}.xml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                f'<WhiteboardCaptureSession><General><Form id="x" writerID="{writer}"/>'
            )
    prepared = prepare(tiny, Options())
    assert [u.speaker for u in prepared.splits["train"]] == ["10001"] * 3
    assert prepared.splits["test"][0].speaker == "7"
    assert not any("both" in note or "unknown" in note for note in prepared.notes)


def test_a_writer_in_two_sets_is_noted(tiny):
    (tiny / "forms.txt").write_text("a01-000u 5\nc03-003x 5\n")
    assert "speaker 5 is both in train and in test" in prepare(tiny, Options()).notes


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda root: shutil.rmtree(root / "lineStrokes"), "does not contain IAM-OnDB"),
        (
            lambda root: shutil.rmtree(root / "ascii"),
            "no folders called ascii; exactly one is expected",
        ),
        (lambda root: (root / "ascii/a01/a01-001/a01-001.txt").unlink(), "no transcription"),
        (
            lambda root: (root / "ascii/a01/a01-001/a01-001.txt").write_text("OCR:\n\nx\n"),
            "no block `CSR:`",
        ),
        (lambda root: (root / "trainset.txt").write_text(" lines\n"), "'lines' in a set list"),
    ],
)
def test_faults_are_named(tiny, fault, words):
    fault(tiny)
    with pytest.raises(InputError) as caught:
        prepare(tiny, Options())
    assert words in str(caught.value)


def test_sizes_of_the_official_sets_are_demanded(tiny, monkeypatch):
    monkeypatch.setattr(iam_ondb, "_FORMS", {"train": 2, "dev": 1, "dev2": 0, "test": 1})
    monkeypatch.setattr(iam_ondb, "_LINES", {"train": 3, "dev": 2, "dev2": 0, "test": 1})
    prepare(tiny, Options())
    (tiny / "lineStrokes/a01/a01-000/a01-000u-01.xml").unlink()
    prepare(tiny, Options())  # skipped lines count
    write_form(tiny, "a01-001", ["Labour", "more"])
    with pytest.raises(InputError, match=r"'train': 4.*but the official sets have.*'train': 3"):
        prepare(tiny, Options())
    assert len(prepare(tiny, Options(check_counts=False)).splits["train"]) == 2


def test_the_separator_of_some_transcriptions(tiny):
    path = tiny / "ascii/a01/a01-000/a01-000u.txt"
    path.write_text("OCR:\n\nx\n\nCSR:\n\none%%%%%%%%%%%two\n")
    assert [u.text for u in prepare(tiny, Options()).splits["train"][:2]] == ["one", "two"]
