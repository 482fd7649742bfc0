"""Spectrograms, sounds and charts: what is drawn is what was measured."""

import base64
import io
import math
import re
import struct
import zlib
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from markupsafe import Markup

from seqlabel.report.evidence import Evidence
from seqlabel.report.html.charts import (
    curve_chart,
    element,
    rate_chart,
    stacked_bar,
    ticks,
)
from seqlabel.report.html.confusions import matrix_chart
from seqlabel.report.html.panels import panel, sound_uri
from seqlabel.report.html.spectrogram import ROWS, grey_png, mel, spectrogram
from seqlabel.scoring.results import Counts, Interval


def decode_png(data: bytes) -> np.ndarray:
    """A 4-bit grey PNG without filters as (rows, columns); checks every chunk's sum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
            name + body
        )
        chunks[name] = body
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    columns, rows, *kind = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert kind == [4, 0, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, -1)
    assert not lines[:, 0].any()
    pixels = np.stack([lines[:, 1:] >> 4, lines[:, 1:] & 15], axis=2).reshape(rows, -1)
    return pixels[:, :columns]


@pytest.mark.parametrize("columns", [1, 6, 7])
def test_png_holds_the_picture(columns):
    picture = np.random.default_rng(columns).integers(0, 16, (5, columns)).astype(np.uint8)
    np.testing.assert_array_equal(decode_png(grey_png(picture)), picture)


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 5000.0])
def test_a_tone_is_darkest_at_its_height(frequency):
    picture = spectrogram(0.5 * np.sin(2 * np.pi * frequency * np.arange(8000) / 16000), 16000)
    middle = picture[:, 20:80].astype(float).mean(axis=1)
    share = mel(frequency) / mel(8000)
    expected = (ROWS - 1) * (1 - share)
    dark = np.flatnonzero(middle == middle.min())
    assert abs(dark.mean() - expected) < 1.5
    assert middle.max() == 15


def test_a_click_is_darkest_at_its_time():
    sound = np.zeros(16000)
    sound[4000] = 1.0  # a quarter of a second: column 50 of windows every 5 ms
    assert abs(int(spectrogram(sound, 16000).sum(axis=0).argmin()) - 50) <= 1


def test_long_sounds_keep_their_width():
    assert spectrogram(np.zeros(16000 * 60), 16000).shape == (ROWS, 800)


@pytest.mark.parametrize(("rate", "kind"), [(16000, "mpeg"), (10000, "flac")])
def test_sound_is_audible_after_coding(rate, kind):
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    uri = sound_uri(tone, rate)
    assert uri.startswith(f"data:audio/{kind};base64,")
    decoded, found = soundfile.read(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    assert found == rate
    spectrum = np.abs(np.fft.rfft(decoded[:rate]))
    assert abs(int(spectrum.argmax()) * rate / len(decoded[:rate]) - 440) < 3


def test_runs_give_back_the_posteriors():
    rng = np.random.default_rng(2)
    probabilities = np.where(rng.random((40, 5)) < 0.3, rng.random((40, 5)), 0.0)
    item = Evidence.of_speech(probabilities, "abcd", np.arange(40) * 0.04 + 0.01, np.ones(99), 8000)
    (lane,) = panel([item])["lanes"]
    assert (lane["start"], lane["step"], lane["frames"]) == (0.01, 0.04, 40)
    rebuilt = np.zeros((40, len(lane["labels"])))
    for k, start, values in lane["runs"]:
        rebuilt[start : start + len(values), k] = values
    order = ["", *"abcd"]
    expected = 100 * probabilities[:, [order.index(label) for label in lane["labels"]]]
    np.testing.assert_allclose(rebuilt, np.where(expected > 2.5, expected, rebuilt), atol=0.75)
    assert (rebuilt[expected < 1.5] == 0).all()


def test_ink_keeps_its_shape():
    square = np.array([[0, 0], [4, 0], [4, 2], [0, 2], [0, 0]], float)
    drawn = np.column_stack([1000 + square, np.arange(5)])
    dot = np.array([[1002.0, 1001.0, 9.0]])
    item = Evidence.of_ink(np.ones((3, 2)), ("o",), [0, 1, 2], [drawn, dot], [("o", 1, 2)])
    (drawing,) = panel([item])["drawings"]
    assert drawing["box"] == [640, 320]  # 4 to 2, as high as the box allows
    assert drawing["strokes"][0] == [0, "M0 0l640 0 0 320 -640 0 0 -320"]
    assert drawing["strokes"][1] == [0, "M320 160l0 0"]


@pytest.mark.parametrize("top", [0.0, 0.004, 0.07, 0.3, 1.0, 2.6, 99.0])
def test_ticks_cover_the_values_with_few_round_numbers(top):
    marks = ticks(top)
    assert marks[0] == 0
    assert marks[-1] >= top * (1 - 1e-9)
    assert 2 <= len(marks) <= 8
    assert len({round(b - a, 12) for a, b in pairwise(marks)}) == 1


def test_elements_escape_their_text_and_attributes():
    assert element("text", "<b>&", class_="x", data_tip='"><script>') == Markup(
        '<text class="x" data-tip="&#34;&gt;&lt;script&gt;">&lt;b&gt;&amp;</text>'
    )


def test_bars_are_as_long_as_the_rates():
    counts = Counts(correct=70, substitutions=20, deletions=10, insertions=5)
    bar = stacked_bar(counts, top=0.7)
    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', bar)]
    np.testing.assert_allclose(
        widths, [100 * 0.2 / 0.7, 100 * 0.1 / 0.7, 100 * 0.05 / 0.7], atol=0.01
    )
    chart = rate_chart([("a", counts, Interval(0.3, 0.4, 0.95, "speakers", 4, 1000))])
    shares = [float(w) for w in re.findall(r'class="mark .".*?width="([\d.]+)%', chart)]
    np.testing.assert_allclose(
        np.array(shares) / sum(shares), [20 / 35, 10 / 35, 5 / 35], atol=1e-4
    )


def test_a_curve_passes_through_its_values_and_breaks_at_gaps():
    chart = curve_chart("c", "Loss", [1, 2, 3, 4], {"dev": [4.0, math.nan, 2.0, 0.0]})
    (path,) = re.findall(r' d="([^"]*)"', chart)
    assert re.sub(r"[\d. ]", "", path) == "MML"
    points = [tuple(map(float, p.split())) for p in re.findall(r"[\d.]+ [\d.]+", path)]
    xs, ys = zip(*points, strict=True)
    assert xs[1] - xs[0] == pytest.approx(2 * (xs[2] - xs[1]), abs=0.2)
    assert ys[2] - ys[1] == pytest.approx(ys[1] - ys[0], abs=0.2)  # 4, 2, 0 on a linear scale


def test_the_matrix_draws_every_count_once():
    matrix = np.array([[8, 2, 1], [0, 5, 0], [40, 0, 0]])
    chart = matrix_chart(["a", "b", ""], matrix, [11, 5, 40])
    fields = dict(re.findall(r'<path d="([^"]*)" class="((?:agree|confused) .\d)"', chart))
    shades = {kind: path.count("M") for path, kind in fields.items()}
    # Agreements: 8 of 11 is the third quarter, 5 of 5 the last. Errors: 40 is the most.
    assert shades == {
        "agree a2": 1,
        "agree a3": 1,
        "confused e0": 1,
        "confused e1": 1,
        "confused e5": 1,
    }
