"""Data sets of parquet and Arrow files become manifests."""

import sys

import numpy as np
import pytest
import soundfile

from seqlabel.errors import InputError


@pytest.fixture
def table(wavs):
    pyarrow = pytest.importorskip("pyarrow")
    audio = [{"bytes": (wavs / "a.wav").read_bytes(), "path": "a.wav"}, {"path": f"{wavs}/a.wav"}]
    columns = {"audio": audio, "text": ["hello", "you"], "speaker_id": [3, None], "more": [1, 2]}
    return pyarrow.table(columns)


def test_datasets_on_disk(tmp_path, wavs, table, prepare):
    import pyarrow.ipc
    import pyarrow.parquet

    files = tmp_path / "files"
    for name in ("train", "dev", "test"):
        (files / name).mkdir(parents=True)
        pyarrow.parquet.write_table(table, files / f"{name}-00000-of-00001.parquet")
        with pyarrow.ipc.new_stream(files / name / "data-00000.arrow", table.schema) as stream:
            stream.write_table(table)
    audio = tmp_path / "written"
    _, prepared = prepare("datasets", files, audio=str(audio), speaker_column="speaker_id")
    assert {name: len(us) for name, us in prepared.splits.items()} == {
        "train": 4, "dev": 4, "test": 4
    }  # fmt: skip
    first, second = prepared.splits["train"][:2]
    assert (first.text, first.speaker, first.duration) == ("hello", "3", 4.0)
    assert first.source.read_bytes() == (wavs / "a.wav").read_bytes()
    assert first.source.is_relative_to(audio)
    assert (second.source, second.speaker) == (wavs / "a.wav", "")
    assert len(list(audio.rglob("*.wav"))) == 6


def test_datasets_faults_are_named(tmp_path, table, monkeypatch, prepare):
    import pyarrow.parquet

    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(table, path)
    with pytest.raises(InputError, match="no column 'sentence'; it has audio, text, speaker_id"):
        prepare("datasets", path, text_column="sentence")
    with pytest.raises(InputError, match="recordings are inside the file; give a folder for"):
        prepare("datasets", path)
    with pytest.raises(InputError, match="row 0: more is '1', not text"):
        prepare("datasets", path, text_column="more")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"x\.parquet: cannot be read"):
        prepare("datasets", path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install seqlabel\[datasets\]"):
        prepare("datasets", path)


def test_rows_without_text_or_id_are_left_out_where_that_is_wanted(tmp_path, wavs, prepare):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    sound = {"bytes": None, "path": str(wavs / "a.wav")}
    columns = {"audio": [sound] * 4, "text": ["a", None, "b", "c"], "id": ["u", "v", "w", None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    options = {"id_column": "id", "audio": str(tmp_path / "written")}
    with pytest.raises(InputError, match=r"row 1: text is 'None', not text .--set skip_bad=true"):
        prepare("datasets", tmp_path / "x.parquet", **options)
    found, prepared = prepare("datasets", tmp_path / "x.parquet", skip_bad=True, **options)
    assert list(found) == ["u", "w"]
    assert [reason.partition("row ")[2] for reason in prepared.skipped.values()] == [
        "1: text is 'None', not text", "3: no id in id",
    ]  # fmt: skip


def test_a_file_of_sound_is_that_of_one_row(tmp_path, wavs, prepare):
    """Recordings of equal length do not stand in for each other."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    sounds = []
    for n in range(2):
        soundfile.write(tmp_path / "x.wav", np.full(800, n, np.int16), 8000)
        sounds.append({"bytes": (tmp_path / "x.wav").read_bytes(), "path": None})

    def table(sound, *names):
        columns = {"audio": [sound] * len(names), "text": ["a"] * len(names), "id": names}
        parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
        options = {"audio": str(tmp_path / "sound"), "id_column": "id"}
        return prepare("datasets", tmp_path / "x.parquet", **options)[0]

    for _ in range(2):  # the second finds what the first has written
        assert table(sounds[0], "a b")["a b"].source.read_bytes() == sounds[0]["bytes"]
    with pytest.raises(InputError, match=r"row 0: .*a_b\.wav is another recording already"):
        table(sounds[1], "a_b")


def test_a_table_in_no_set_is_not_mixed_with_the_others(tmp_path, table, prepare):
    import pyarrow.parquet

    for name in ("train-0", "validation-0", "unsupervised-0"):
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=r"unsupervised-0\.parquet: in no set, although"):
        prepare("datasets", tmp_path, audio=str(tmp_path / "sound"))
