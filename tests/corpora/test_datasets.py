"""Data sets of parquet and Arrow files become manifests."""

import sys

import pytest

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
