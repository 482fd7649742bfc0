"""Stretches of recordings: the very samples of the whole file, whatever the container and rate."""

import numpy as np
import pytest
import soundfile

from seqlabel.errors import InputError
from seqlabel.inputs import read_audio
from seqlabel.inputs.recording import Recording
from seqlabel.inputs.sphere import write_sphere

RATE = 8000
NOISE = np.random.default_rng(1).integers(-20000, 20000, (12000, 2)).astype(np.int16)


def write(path):
    if path.suffix == ".sph":
        write_sphere(path, NOISE[:, 0].copy(), RATE)
    else:
        channels = NOISE[:, 0] if path.suffix == ".mp3" else NOISE
        soundfile.write(path, channels, RATE)
    return path, 0 if path.suffix in (".sph", ".mp3") else 1


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "a.ogg", "a.sph"])
@pytest.mark.parametrize("rate", [None, 8000, 16000, 11025, 6000])
def test_a_stretch_is_cut_out_of_the_whole(tmp_path, name, rate):
    path, channel = write(tmp_path / name)
    whole = read_audio(path, rate, channel)
    for start, end in ((0.0, 0.5), (0.25, 0.251), (0.5, 1.0), (0.3, 1.5), (1.25, 0.0), (0.0, 0.0)):
        part = read_audio(path, rate, channel, start=start, end=end)
        first = round(start * whole.rate)
        last = round(end * whole.rate) if end else len(whole.samples)
        assert part.rate == whole.rate
        np.testing.assert_array_equal(part.samples, whole.samples[first:last])


def test_stretches_of_one_opened_file_join(tmp_path):
    path, channel = write(tmp_path / "a.flac")
    whole = read_audio(path, 11025, channel).samples
    with Recording(path, 11025, channel) as recording:
        assert len(recording) == len(whole)
        places = [0, 1, 700, 701, 9000, len(whole)]
        order = [3, 0, 4, 2, 1]  # seeking back and forth
        parts = {n: recording.read(places[n], places[n + 1]) for n in order}
        np.testing.assert_array_equal(np.concatenate([parts[n] for n in range(5)]), whole)
        assert not len(recording.read(5, 5))


@pytest.mark.parametrize(
    ("stretch", "message"),
    [
        ({"start": 1.5}, "begins at 1.5 s, but the recording ends at 1.5 s"),
        ({"start": -0.1, "end": 1}, "begins at -0.1 s"),
        ({"start": 0.7, "end": 0.7}, "ends at 0.7 s, before its start 0.7 s"),
        ({"start": 0.7, "end": 0.2}, "ends at 0.2 s, before its start 0.7 s"),
        ({"end": 1.6}, "ends at 1.6 s, but the recording at 1.5 s"),
        ({"channel": 2}, "no channel 2; the file has 2, counted from 0"),
        ({"channel": -1}, "no channel -1"),
        ({"channel": None}, "2 channels; make it mono"),
        ({"start": 0.7, "end": 0.70001}, "no sample from 0.7 to 0.70001 s"),
    ],
)
def test_what_is_not_in_the_file_is_refused(tmp_path, stretch, message):
    path, _ = write(tmp_path / "a.wav")
    with pytest.raises(InputError, match=message) as error:
        read_audio(path, **{"channel": 0, **stretch})
    assert str(error.value).startswith(str(path))


def test_only_the_stretch_is_held(tmp_path):
    """All ten minutes would be 19 MB of float32."""
    import tracemalloc

    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros(600 * RATE, np.int16), RATE)
    read_audio(path, 16000, start=1.0, end=1.5)  # makes the filter
    tracemalloc.start()
    audio = read_audio(path, 16000, start=590.0, end=591.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert audio.duration == 1.0
    assert peak < 2_000_000


def test_formats_that_cannot_seek_are_read_forwards(tmp_path):
    """GSM 6.10, which telephone exchanges keep their voice mail in."""
    path = tmp_path / "mail.wav"
    soundfile.write(path, NOISE[:, 0], 8000, subtype="GSM610")
    whole = read_audio(path)
    np.testing.assert_array_equal(whole.samples, soundfile.read(path, dtype="float32")[0])
    part = read_audio(path, start=0.25, end=0.5)
    np.testing.assert_array_equal(part.samples, whole.samples[2000:4000])
    with Recording(path) as recording:
        recording.read(400, 800)
        with pytest.raises(InputError, match=r"mail\.wav: can only be read from the start"):
            recording.read(0, 400)
