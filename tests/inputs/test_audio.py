"""Reading audio: containers by content, every way in which a file can be bad, resampling."""

import logging
import os
import struct

import numpy as np
import pytest
import soundfile

from seqlabel.errors import InputError
from seqlabel.inputs import Audio, read_audio, recording
from seqlabel.inputs.audio import read_audio_header
from seqlabel.inputs.sphere import write_sphere

RATE = 16000
TONE = (3000 * np.sin(np.arange(4000) * 0.2)).astype(np.int16)


def sphere(path, samples=TONE, change=lambda header: header, cut=None, extra=b""):
    """A SPHERE file whose header is changed after the fact."""
    write_sphere(path, samples, RATE)
    data = path.read_bytes()
    path.write_bytes(change(data[:1024]) + data[1024:cut] + extra)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "disguised.txt"])
def test_samples_come_back(tmp_path, name):
    path = tmp_path / name
    soundfile.write(path, TONE, RATE, format="WAV" if name == "disguised.txt" else None)
    found = read_audio(path)
    assert found.rate == RATE
    assert found.samples.dtype == np.float32
    np.testing.assert_array_equal(found.samples * 32768, TONE)
    assert found.duration == 0.25
    assert read_audio_header(path).frames == 4000


def test_sphere_named_wav_is_read_by_its_content(tmp_path, caplog):
    path = sphere(tmp_path / "SA1.WAV")
    np.testing.assert_array_equal(read_audio(path).samples * 32768, TONE)
    assert read_audio_header(path).duration == 0.25
    assert path.read_bytes()[:16] == b"NIST_1A\n   1024\n"
    assert not caplog.records


@pytest.mark.parametrize("size", [b"  -1024\n", b"   1_24\n", b"   0x40\n", b"       \n"])
def test_sphere_header_of_a_size_that_is_none(tmp_path, size):
    path = sphere(tmp_path / "a.sph", change=lambda h: h.replace(b"   1024\n", size))
    for read in (read_audio_header, read_audio):
        with pytest.raises(InputError, match=r"a\.sph: SPHERE header without its size on line 2"):
            read(path)


def test_big_endian_sphere(tmp_path):
    path = sphere(tmp_path / "a.sph", change=lambda h: h.replace(b"-s2 01", b"-s2 10"))
    data = path.read_bytes()
    path.write_bytes(data[:1024] + TONE.astype(">i2").tobytes())
    np.testing.assert_array_equal(read_audio(path).samples * 32768, TONE)


def test_real_sphere(timit, caplog):
    """Values from the header of the file itself."""
    path = timit / "TRAIN" / "DR1" / "FVMH0" / "SA1.WAV"
    found = read_audio(path)
    assert (len(found.samples), found.rate) == (54682, 16000)
    assert (found.samples.min() * 32768, found.samples.max() * 32768) == (-7789, 9626)
    np.testing.assert_array_equal(found.samples, soundfile.read(path, dtype="float32")[0])
    assert not caplog.records


def cut(share, kind=None):
    """Makes a file of which only the first part is there."""

    def make(path):
        noise = np.random.default_rng(1).integers(-9999, 9999, 4000).astype(np.int16)
        soundfile.write(path, noise, RATE, format=kind)
        os.truncate(path, int(path.stat().st_size * share))

    return make


def stereo(path):
    soundfile.write(path, np.stack([TONE, TONE], axis=1), RATE)


def not_numbers(path):
    soundfile.write(path, np.array([0.0, np.nan]), RATE, format="WAV", subtype="FLOAT")


def end_of_line_damage(path):
    """What a transfer in text mode did to copies of TIMIT: CR LF becomes LF."""
    sphere(path, samples=np.arange(-9000, 9000, dtype=np.int16))
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))


def header(old, new):
    """Makes a SPHERE file with something else in its header."""
    return lambda path: sphere(path, change=lambda text: text.replace(old, new))


BAD_FILES = {
    "missing.wav": (lambda path: None, "no such audio file"),
    "folder.wav": (os.mkdir, "is a folder"),
    "empty.wav": (lambda path: path.touch(), "empty (0 bytes)"),
    "text.wav": (lambda path: path.write_text("hello"), "not readable as audio"),
    "no-samples.wav": (lambda path: soundfile.write(path, TONE[:0], RATE), "no samples"),
    "half.wav": (cut(0.5), "truncated: the header says 8000 bytes"),
    "head.wav": (cut(0.004), "without samples"),
    "half.flac": (cut(0.5), "damaged"),
    "half.aiff": (cut(0.5), "truncated: the header says 8054 bytes"),
    "half.au": (cut(0.5), "truncated: the header says 8024 bytes"),
    "half.rf64": (cut(0.5, "RF64"), "truncated: the header says"),
    "half.w64": (cut(0.5, "W64"), "truncated: the header says"),
    "half.mp3": (cut(0.5, "MP3"), "truncated"),
    "stereo.wav": (stereo, "2 channels; make it mono"),
    "nan.wav": (not_numbers, "NaN or infinite"),
    "short.sph": (lambda path: sphere(path, cut=-3), "says 4000 samples (8000 bytes)"),
    "long.sph": (lambda path: sphere(path, extra=b"12"), "the file has 8002 bytes"),
    "lies.sph": (header(b"-i 4000", b"-i 4001"), "says 4001 samples"),
    "head.sph": (header(b"end_head", b"not_head"), "has no end"),
    "size.sph": (header(b"   1024", b"   many"), "without its size"),
    "rate.sph": (header(b"sample_rate -i 16000", b"sample_rate -i 16kHz"), "16kHz"),
    "ulaw.sph": (header(b"sample_n_bytes -i 2", b"sample_coding -s4 ulaw\n"), "sph2pipe"),
    "shorten.sph": (
        header(b"sample_sig_bits -i 16", b"sample_coding -s26 pcm,embedded-shorten-v2.00"),
        "coded as pcm,embedded-shorten-v2.00; convert it first: sph2pipe",
    ),
    "bytes.sph": (header(b"sample_n_bytes -i 2", b"sample_n_bytes -i 3"), "16-bit PCM"),
    "eol.sph": (end_of_line_damage, "end-of-line conversion"),
}
NOT_SEEN_IN_THE_HEADER = ("stereo.wav", "nan.wav")


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_named_in_one_line(tmp_path, name):
    make, words = BAD_FILES[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(InputError) as caught:
        read_audio(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert "\n" not in message
    if name not in NOT_SEEN_IN_THE_HEADER:
        with pytest.raises(InputError) as caught:
            read_audio_header(path)
        assert str(caught.value).startswith(f"{path}: ")


def with_size(path, size):
    """A WAV file whose header says that there are so many bytes of samples."""
    soundfile.write(path, TONE, RATE)
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", size)
    path.write_bytes(data)
    return path


def test_streamed_wav_of_unknown_size_is_read(tmp_path):
    """ffmpeg and sox write such a header into a pipe."""
    path = with_size(tmp_path / "stream.wav", 0xFFFFFFFF)
    np.testing.assert_array_equal(read_audio(path).samples * 32768, TONE)


def test_a_recording_that_was_not_closed_is_told(tmp_path):
    path = with_size(tmp_path / "stream.wav", 0)
    with pytest.raises(InputError, match=r"stream\.wav: .* no samples, but \d+ bytes follow"):
        read_audio(path)


def test_one_channel_of_two_may_be_chosen(tmp_path):
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([TONE, -TONE], axis=1), RATE)
    np.testing.assert_array_equal(read_audio(path, channel=1).samples * 32768, -TONE)
    with pytest.raises(InputError, match="no channel 2; the file has 2"):
        read_audio(path, channel=2)


def test_extremes_that_do_not_match_are_a_warning(tmp_path, caplog):
    path = sphere(tmp_path / "a.sph", change=lambda h: h.replace(b"_max -i 2", b"_max -i 1"))
    read_audio(path)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "is the copy damaged?" in caplog.text
    assert str(path) in caplog.text


def test_resampling_keeps_a_tone_and_says_so_once(tmp_path, caplog):
    recording._resampled.clear()
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    seconds = np.arange(8000) / 8000
    for path in paths:
        soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * seconds), 8000)
    found = [read_audio(path, rate=16000) for path in paths]
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    inner = slice(500, -500)  # the ends see silence beyond the file
    assert found[0].rate == 16000
    assert np.abs(found[0].samples - expected)[inner].max() < 1e-3
    assert caplog.text.count("resampled from 8000 to 16000") == 1
    with pytest.raises(InputError, match="8000 samples per second, but 16000 are expected"):
        read_audio(paths[0], rate=16000, resample=False)


def test_rates_without_a_common_factor_are_refused(tmp_path):
    soundfile.write(tmp_path / "odd.wav", TONE, 44101)
    with pytest.raises(InputError, match=r"odd\.wav: 44101 samples per second.*-ar 16000"):
        read_audio(tmp_path / "odd.wav", 16000)
    soundfile.write(tmp_path / "cd.wav", TONE, 44100)
    assert read_audio(tmp_path / "cd.wav", 16000).rate == 16000


@pytest.mark.parametrize("kind", ["RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3"])
def test_whole_files_of_other_containers_are_read(tmp_path, kind):
    path = tmp_path / "whole"
    soundfile.write(path, TONE, RATE, format=kind)
    assert read_audio_header(path).frames == len(read_audio(path).samples) >= len(TONE)


def test_audio_from_arrays():
    np.testing.assert_array_equal(Audio(TONE, RATE).samples * 32768, TONE)
    assert Audio(np.zeros(8), RATE).samples.dtype == np.float32
    for samples in (np.zeros((2, 8)), np.zeros(0), np.array([np.inf]), np.zeros(8, np.int64)):
        with pytest.raises(InputError, match="audio: "):
            Audio(samples, RATE)
    for rate in (0, -1, 0.5, float("nan"), float("inf"), "16000", None):
        with pytest.raises(InputError, match=f"rate {rate!r}; a number of samples per second"):
            Audio(np.zeros(8), rate)
    assert type(Audio(np.zeros(8), np.float64(16000)).rate) is int


def test_arrays_at_another_rate_are_files_at_that_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", TONE, RATE)
    read = read_audio(tmp_path / "a.wav")
    assert read.at_rate(RATE) is read
    expected = read_audio(tmp_path / "a.wav", 8000)
    np.testing.assert_array_equal(read.at_rate(8000).samples, expected.samples)
    with pytest.raises(InputError, match=r"audio: .* have no large common factor"):
        read.at_rate(RATE + 1)


def test_hostile_names(tmp_path):
    """Line breaks, markup, other scripts, bytes that are no UTF-8: read, and named on one line."""
    names = ["a\nb.wav", "<b>&amp;.wav", "ö 日本語 \u202e.wav", os.fsdecode(b"\xff.wav"), "-rf.wav"]
    for name in names:
        path = tmp_path / name
        soundfile.write(os.fsencode(path), TONE, RATE, format="WAV")
        assert len(read_audio(path).samples) == 4000
        path.write_bytes(b"")
        with pytest.raises(InputError, match="empty") as caught:
            read_audio(path)
        assert str(caught.value).isprintable()
        str(caught.value).encode()
