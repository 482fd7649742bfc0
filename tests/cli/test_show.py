"""The pictures of `seqlabel show`: every step is drawn, in SVG and in PNG."""

import struct
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqlabel.cli import main
from seqlabel.corpora.manifest import Segment, Utterance, write_manifest
from seqlabel.inputs.formats.iam_xml import write_iam_xml
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.ink_files import write_ink
from seqlabel.report.pictures.canvas import Canvas
from seqlabel.report.pictures.signals import SHADES, colours, outline
from seqlabel.synthetic.hands import Hand, write_text

INK = write_text("fit dog", Hand(), np.random.default_rng(0))
WIDE = Ink([[[10000.0 * n, n % 2] for n in range(2000)]])


def pixels_of(data: bytes) -> np.ndarray:
    """(h, w, 3) of a PNG whose rows have no filter, checksums verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", data[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(kind + body)
        chunks[kind] = body
        place += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colour) == (8, 2)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def words_of(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]


def test_canvas_draws_where_it_is_told():
    canvas = Canvas(40)
    assert canvas.grow(20) == 0
    assert canvas.grow(10) == 20
    canvas.line(np.array([[5, 5], [35, 5]]), "#ff0000", 2)
    canvas.line(np.array([[20, 15]]), "#0000ff", 4)
    canvas.picture(0, 20, 40, 10, np.full((1, 2, 3), 7, dtype=np.uint8))
    pixels = pixels_of(canvas.to_png())
    assert pixels.shape == (30, 40, 3)
    assert pixels[5, 20].tolist() == [255, 0, 0]
    assert pixels[15, 20].tolist() == [0, 0, 255]
    assert pixels[10, 20].tolist() == [255, 255, 255]
    assert (pixels[20:] == 7).all()
    root = ET.fromstring(canvas.to_svg())
    assert [child.tag.split("}")[1] for child in root] == ["rect", "polyline", "circle", "image"]


@pytest.mark.parametrize(
    ("align", "columns"), [("start", (50, 99)), ("middle", (25, 75)), ("end", (0, 50))]
)
def test_text_is_drawn_in_outlines(align, columns):
    canvas = Canvas(100)
    canvas.grow(30)
    canvas.text(50, 20, "ab <é", "#000000", 6, align)
    dark = np.flatnonzero((pixels_of(canvas.to_png()) < 128).any(axis=(0, 2)))
    assert columns[0] - 1 <= dark.min() < dark.max() <= columns[1] + 1
    assert words_of(canvas.to_svg()) == ["ab <é"]


def test_colours_run_from_light_to_dark():
    assert colours(np.array([[0.0, 1.0, 0.5]]))[0, :2].tolist() == SHADES[[0, -1]].tolist()
    assert (np.diff(SHADES.sum(axis=1)) < 0).all()


def test_every_step_of_an_ink_file_is_drawn(tmp_path, capsys):
    write_ink(tmp_path / "a.ink", INK)
    out = tmp_path / "a.svg"
    assert main(["show", str(tmp_path / "a.ink"), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    words = words_of(out.read_text())
    panels = [
        "as captured",
        "duplicates and outliers removed",
        "skew corrected",
        "slant corrected",
        "size normalised",
        "width normalised",
        "delayed strokes removed",
    ]
    assert [word for word in words if word in panels] == panels
    assert {"ascender", "corpus", "base", "descender"} <= set(words)
    assert any(word.startswith("Ink25: 25 features") for word in words)


def test_the_default_name_and_other_features(tmp_path, monkeypatch):
    write_iam_xml(tmp_path / "line.xml", INK)
    monkeypatch.chdir(tmp_path)
    assert main(["show", "line.xml", "--features", "ink_raw"]) == 0
    words = words_of(Path("line.svg").read_text())
    assert "slant corrected" not in words
    assert any(word.startswith("InkRaw: 4 features") for word in words)
    assert main(["show", "line.xml", "--out", "line.png"]) == 0
    pixels = pixels_of(Path("line.png").read_bytes())
    assert pixels.shape[1] == 1000
    assert (pixels < 128).any()


def test_speech_is_drawn_with_its_labels(timit, tmp_path):
    path = next(p for p in sorted(timit.rglob("*")) if p.suffix.upper() == ".WAV")
    out = tmp_path / "a.svg"
    assert main(["show", str(path), "--out", str(out)]) == 0
    words = words_of(out.read_text())
    phones = [p for p in path.parent.iterdir() if p.name.upper() == f"{path.stem.upper()}.PHN"]
    labels = [line.split()[2] for line in phones[0].read_text().splitlines()]
    start = words.index(labels[0])
    assert words[start : start + len(labels)] == labels
    assert out.read_text().count("<image") == 2  # spectrogram and features


def test_an_onset_is_drawn_at_its_time():
    """3.6 samples a block: blocks of three before blocks of four would be a tenth too early."""
    samples = np.zeros(4320, np.float32)
    samples[2160:] = 1
    heights = outline(samples, 1200).reshape(-1, 2)
    assert np.flatnonzero(heights[:, 1])[0] == 600
    assert outline(samples[:7], 1200).shape == (14,)


def test_speech_is_drawn_at_the_rate_of_its_corpus(tmp_path):
    wave = np.sin(np.arange(8000) / 3)
    soundfile.write(tmp_path / "a.wav", wave, 8000)
    write_manifest(tmp_path / "test.jsonl", [Utterance("a", tmp_path / "a.wav", "speech", ())])
    (tmp_path / "corpus.json").write_text('{"rate": 8000}')
    assert main(["show", str(tmp_path / "test.jsonl"), "--out", str(tmp_path / "a.svg")]) == 0
    assert [w for w in words_of((tmp_path / "a.svg").read_text()) if "kHz" in w] == [
        "1 kHz", "2 kHz", "3 kHz", "4 kHz",
    ]  # fmt: skip


def test_utterances_of_a_manifest(tmp_path, capsys):
    write_ink(tmp_path / "a.ink", INK)
    segments = (Segment("x", 0.0, 0.1),)
    write_manifest(
        tmp_path / "m.jsonl",
        [
            Utterance(f"u{n}", tmp_path / "a.ink", "ink", (*"ab",), segments=segments)
            for n in range(5)
        ],
    )
    out = tmp_path / "m.svg"
    arguments = ["show", str(tmp_path / "m.jsonl"), "--out", str(out)]
    assert main(arguments) == 0
    assert [w for w in words_of(out.read_text()) if w.endswith("a b")] == [
        "u0  a b", "u1  a b", "u2  a b",
    ]  # fmt: skip
    assert main([*arguments, "--id", "u4"]) == 0
    assert "u4  a b" in words_of(out.read_text())
    assert main([*arguments, "--id", "u9"]) == 2
    assert "no utterance u9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.inkml"], "no such file"),
        (["a.ink", "--out", "a.gif"], "the name must end in .svg or .png"),
        (["a.ink", "--features", "ink_52"], "ink_52"),
        (["."], "not prepared data"),
        (["a.ink", "--id", "u1"], "--id needs prepared data"),
        (["wide.ink", "--features", "ink_delta"], "wide.ink: a spacing of"),
    ],
)
def test_mistakes_get_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    write_ink(tmp_path / "a.ink", INK)
    write_ink(tmp_path / "wide.ink", WIDE)
    monkeypatch.chdir(tmp_path)
    assert main(["show", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert {path.name for path in tmp_path.iterdir()} == {"a.ink", "wide.ink"}


def test_a_name_that_cannot_be_printed(tmp_path):
    write_ink(tmp_path / "a\x01\udcff.ink", INK)
    assert main(["show", str(tmp_path / "a\x01\udcff.ink"), "--out", str(tmp_path / "a.svg")]) == 0
    assert "a\\x01\\udcff.ink" in words_of((tmp_path / "a.svg").read_text())


@pytest.mark.parametrize("count", ["0", "-1"])
def test_less_than_one_picture_is_refused(tmp_path, capsys, count):
    write_iam_xml(tmp_path / "a.xml", INK)
    write_manifest(
        tmp_path / "set.jsonl",
        [Utterance(f"u{n}", tmp_path / "a.xml", "ink", ("f",)) for n in range(2)],
    )
    out = tmp_path / "out.svg"
    assert main(["show", str(tmp_path / "set.jsonl"), "--out", str(out), "--count", count]) == 2
    assert f"--count {count}: at least 1" in capsys.readouterr().err
    assert not out.exists()


def test_a_drawing_is_not_written_over(tmp_path, monkeypatch, capsys):
    drawing = '<svg><polyline stroke="black" points="0,0 5,9 9,2"/></svg>'
    (tmp_path / "a.svg").write_text(drawing)
    monkeypatch.chdir(tmp_path)
    assert main(["show", "a.svg"]) == 0
    assert capsys.readouterr().out.strip() == "a-shown.svg"
    assert main(["show", "a.svg", "--out", "a.svg"]) == 2
    assert "a.svg: is also an input" in capsys.readouterr().err
    assert (tmp_path / "a.svg").read_text() == drawing
