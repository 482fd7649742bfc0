"""Exported files read as their model directories do, without torch, and say what they are."""

import json
import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import soundfile

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.corpora.manifest import Utterance, read_manifest, write_manifest
from seqlabel.errors import InputError
from seqlabel.export.writer import export
from seqlabel.inputs import Audio, read_ink

SPEECH = {
    "features": {"kind": "fbank", "rate": 8000, "filters": 20, "deltas": 1},
    "front_end": {"normalise": "train", "stack": 2, "stride": 2},
    "model": {"hidden": 10, "layers": 2},
}
INK = {"features": {"kind": "ink_delta"}, "model": {"hidden": 10, "layers": 2, "subsample": 2}}


def changed(table: dict, **tables: dict) -> dict:
    return {**table, **{name: {**table.get(name, {}), **new} for name, new in tables.items()}}


@pytest.fixture
def recordings(spoken, tmp_path):
    """A manifest of five recordings of different lengths by two speakers."""
    utterances = []
    for n, seconds in enumerate((0.5, 1.1, 0.05, 0.8, 0.81)):
        path = tmp_path / f"{n}.wav"
        soundfile.write(path, spoken(seconds, n), 8000)
        utterances.append(
            Utterance(f"u{n}", path, "speech", ("a", "b"), "ab", f"s{n % 2}", seconds)
        )
    write_manifest(tmp_path / "test.jsonl", utterances)
    return tmp_path / "test.jsonl"


def assert_same_reading(one, other, manifest):
    utterances = read_manifest(manifest)
    expected = [output for _, output in one.outputs(utterances)]
    found = [output for _, output in other.outputs(utterances)]
    for a, b in zip(expected, found, strict=True):
        assert np.abs(np.exp(a.log_probs) - np.exp(b.log_probs)).max() < 1e-4
        np.testing.assert_array_equal(a.times, b.times)
        assert (a.period, a.per_label) == (b.period, b.per_label)
        assert (a.strokes is None) == (b.strokes is None)
        if a.strokes is not None:
            np.testing.assert_array_equal(a.strokes, b.strokes)
    results = one.decode(expected)
    assert [r.labels for r in results] == [r.labels for r in other.decode(found)]
    assert len({r.labels for r in results}) > 1
    for utterance, result in zip(utterances, results, strict=True):
        assert other.read(utterance.source).labels == one.read(utterance.source).labels
        assert set(result.labels) <= set(one.alphabet.symbols)


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"model": {"bidirectional": False, "cell": "FGR"}},
        {"model": {"chunk": 8, "lookahead": 3}},
        {"front_end": {"normalise": "speaker"}},
        {"front_end": {"normalise": "running"}, "criterion": {"kind": "framewise"}},
    ],
    ids=str,
)
def test_speech(tables, directory, recordings, tmp_path):
    folder = directory(changed(SPEECH, **tables))
    export(folder, tmp_path / "m.onnx")
    assert_same_reading(seqlabel.load(folder), seqlabel.load(tmp_path / "m.onnx"), recordings)


@pytest.mark.parametrize("normalise", ["train", "utterance"])
def test_samples_in(normalise, directory, recordings, tmp_path):
    folder = directory(changed(SPEECH, front_end={"normalise": normalise}))
    export(folder, tmp_path / "m.onnx", front_end=True)
    exported = seqlabel.load(tmp_path / "m.onnx")
    assert_same_reading(seqlabel.load(folder), exported, recordings)
    with pytest.raises(InputError, match="is shorter than a window"):
        exported.read(np.zeros(100, np.float32))
    with pytest.raises(InputError, match="export it without --front-end for streams"):
        exported.network.stream()
    sound = Audio(np.random.default_rng(1).normal(0, 0.1, 16000), 16000)
    assert exported.read(sound) == exported.read(sound.at_rate(8000))


def test_speakers_of_a_graph_are_single_signals(directory, recordings, tmp_path, caplog):
    folder = directory(changed(SPEECH, front_end={"normalise": "speaker"}))
    with caplog.at_level(logging.WARNING, "seqlabel"):
        export(folder, tmp_path / "m.onnx", front_end=True)
    assert "the graph sees one signal" in caplog.text
    alone, exported = seqlabel.load(folder), seqlabel.load(tmp_path / "m.onnx")
    options = replace(alone.front_end.options, normalise="utterance")
    alone.front_end = replace(alone.front_end, options=options)
    assert_same_reading(alone, exported, recordings)


def test_ink(directory, tiny_corpus, tmp_path):
    folder = directory(INK)
    export(folder, tmp_path / "m.onnx")
    one, other = seqlabel.load(folder), seqlabel.load(tmp_path / "m.onnx")
    assert_same_reading(one, other, tiny_corpus / "test.jsonl")
    ink = read_ink(read_manifest(tiny_corpus / "test.jsonl")[0].source)
    assert other.read(ink).labels == one.read(ink).labels


def test_levels_of_labels(directory, recordings, tmp_path):
    alphabet = Alphabet("abcde", "symbol", [("halves", Alphabet("uvw"))])
    folder = directory(changed(SPEECH, criterion={"kind": "levels", "hidden": 9}), alphabet)
    export(folder, tmp_path / "m.onnx")
    one, other = seqlabel.load(folder), seqlabel.load(tmp_path / "m.onnx")
    assert other.alphabet == one.alphabet
    assert_same_reading(one, other, recordings)
    file = read_manifest(recordings)[1].source
    halves = other.read(file).levels["halves"].labels
    assert halves == one.read(file).levels["halves"].labels
    assert halves


@pytest.mark.parametrize(
    ("model", "latency"),
    [
        ({}, None),
        ({"bidirectional": False}, 0.025 + 3 * 0.01),  # a window, two deltas, one stacked frame
        ({"chunk": 8, "lookahead": 3}, 0.025 + 3 * 0.01 + 10 * 0.02),
    ],
    ids=str,
)
def test_the_file_describes_itself(model, latency, directory, tmp_path):
    folder = directory(changed(SPEECH, model=model))
    export(folder, tmp_path / "m.onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(proto, full_check=True)
    metadata = {entry.key: json.loads(entry.value) for entry in proto.metadata_props}
    assert metadata["alphabet"] == json.loads((folder / "alphabet.json").read_text())
    assert metadata["features"]["filters"] == 20
    assert metadata["front_end"] == {"normalise": "train", "stack": 2, "stride": 2}
    assert metadata["rate"] == 8000
    assert metadata["latency"] == pytest.approx(latency)
    mean = seqlabel.load(folder).front_end.statistics.mean
    np.testing.assert_array_equal(np.array(metadata["statistics"]["mean"], np.float32), mean)
    inputs = [value.name for value in proto.graph.input]
    states = ["h0", "c0"] if model else []
    assert inputs == ["frames", "lengths", *states]
    outputs = [value.name for value in proto.graph.output]
    assert outputs == ["log_probs", "output_lengths", *(f"{name[0]}n" for name in states)]


@pytest.mark.parametrize("model", [{"bidirectional": False}, {"chunk": 8, "lookahead": 3}], ids=str)
def test_streams_read_what_files_say(model, directory, recordings, tmp_path):
    folder = directory(changed(SPEECH, model=model))
    export(folder, tmp_path / "m.onnx")
    one, other = seqlabel.load(folder), seqlabel.load(tmp_path / "m.onnx")
    assert other.latency == one.latency < 1
    samples = soundfile.read(read_manifest(recordings)[1].source, dtype="float32")[0]
    stream = other.stream()
    for start in range(0, len(samples), 700):
        stream.push(samples[start : start + 700])
    assert stream.finish().labels == one.read(samples).labels


WITHOUT = """
import sys
for name in sys.argv.pop(1).split():
    sys.modules[name] = None
from seqlabel.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without_torch(*arguments, others="") -> str:
    blocked = f"torch onnx {others}"
    command = [sys.executable, "-c", WITHOUT, blocked, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_read_and_decode_need_no_torch(directory, recordings, tmp_path, capsys):
    folder, path = directory(SPEECH), tmp_path / "m.onnx"
    assert main(["export", str(folder), str(path)]) == 0
    files = [str(utterance.source) for utterance in read_manifest(recordings)]
    assert main(["read", str(folder), *files]) == 0
    assert without_torch("read", path, *files) == capsys.readouterr().out
    for model, run in ((folder, lambda *args: main([str(a) for a in args])), (path, without_torch)):
        run("decode", model, recordings, "--out", tmp_path / f"{model.name}.jsonl")
    rows = [
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("exp.jsonl", "m.onnx.jsonl")
    ]
    assert [row["labels"] for row in rows[0][1:]] == [row["labels"] for row in rows[1][1:]]


def test_greedy_reading_of_samples_needs_no_numba_either(directory, recordings, tmp_path, capsys):
    folder, path = directory(SPEECH), tmp_path / "m.onnx"
    export(folder, path, front_end=True)
    file = read_manifest(recordings)[1].source
    assert main(["read", str(folder), str(file)]) == 0
    expected = capsys.readouterr().out
    assert without_torch("read", path, file, others="numba llvmlite rapidfuzz jinja2") == expected


def test_a_package_that_is_missing_is_named(directory, recordings, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "seqlabel.features.spectrum_kernel", raising=False)
    monkeypatch.delattr("seqlabel.features.spectrum_kernel", raising=False)
    file = read_manifest(recordings)[1].source
    assert main(["read", str(directory(SPEECH)), str(file)]) == 2
    assert capsys.readouterr().err == "seqlabel read: numba is not installed; pip install numba\n"


def test_broken_files_are_named(directory, tmp_path):
    folder, path = directory(SPEECH), tmp_path / "m.onnx"
    export(folder, path)
    content = path.read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"m\.onnx: onnxruntime cannot load it \(.+\); copy"):
            seqlabel.load(path)
    with pytest.raises(InputError, match=r"absent\.onnx: no such exported model"):
        seqlabel.load(tmp_path / "absent.onnx")


def altered(content: bytes, key: str, value: str | None) -> bytes:
    proto = onnx.load_from_string(content)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    del proto.metadata_props[:]
    metadata[key] = value or ""
    onnx.helper.set_model_props(proto, {k: v for k, v in metadata.items() if v})
    return proto.SerializeToString()


def test_foreign_files_are_named(directory, tmp_path):
    folder, path = directory(SPEECH), tmp_path / "m.onnx"
    export(folder, path)
    content = path.read_bytes()
    cases = {
        ("alphabet", None): "not an ONNX file of seqlabel export",
        ("format", "99"): "exported in format 99, but this version reads 1; export the model",
        ("network", '{"subsampel": 2}'): "unknown option subsampel",
        ("features", '{"kind": "fbnak"}'): "did you mean 'fbank'",
        ("statistics", '{"mean": [1]}'): r"damaged description \(KeyError",
        ("batches", "{"): "damaged description",
    }
    for (key, value), words in cases.items():
        path.write_bytes(altered(content, key, value))
        with pytest.raises(InputError, match=rf"m\.onnx: .*{words}"):
            seqlabel.load(path)


def test_missing_packages_are_named(directory, tmp_path, monkeypatch):
    folder, path = directory(SPEECH), tmp_path / "m.onnx"
    export(folder, path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"onnxruntime is not.*pip install 'seqlabel\[onnx\]'"):
        seqlabel.load(path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    path.unlink()
    with pytest.raises(InputError, match=r"package onnx: pip install 'seqlabel\[onnx\]'"):
        export(folder, path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("table", "arguments", "words"),
    [
        (changed(SPEECH, criterion={"kind": "transducer"}), [], "export a model of criterion.kind"),
        (INK, ["--front-end"], "--front-end is for speech"),
        (changed(SPEECH, model={"chunk": 4}), ["--front-end"], "takes one window of frames"),
    ],
    ids=["transducer", "ink", "chunks"],
)
def test_impossible_exports_write_nothing(table, arguments, words, directory, tmp_path, capsys):
    folder = directory(table)
    assert main(["export", str(folder), str(tmp_path / "m.onnx"), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("*.onnx"))


def test_bad_names(directory, tmp_path, capsys):
    assert main(["export", str(tmp_path / "absent"), str(tmp_path / "m.onnx")]) == 2
    assert "no such model directory" in capsys.readouterr().err
    (tmp_path / "s.onnx").write_bytes(b"")
    assert main(["export", str(tmp_path / "s.onnx"), str(tmp_path / "m.onnx")]) == 2
    assert "s.onnx: an exported model; export takes a model directory" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["export", str(tmp_path / "empty"), str(tmp_path / "m.onnx")]) == 2
    assert "empty: not a model directory (no run.json)" in capsys.readouterr().err
    assert main(["export", str(directory(SPEECH)), str(tmp_path / "m.bin")]) == 2
    assert "must end in .onnx" in capsys.readouterr().err
    with pytest.raises(InputError, match="device 'tpu': onnxruntime has no such device"):
        export(tmp_path / "exp", tmp_path / "m.onnx")
        seqlabel.load(tmp_path / "m.onnx", "tpu")
