"""Filterbank and cepstra against torchaudio's transcription of Kaldi, and hand-made cases."""

import itertools

import numpy as np
import pytest
import torch

from seqlabel.errors import InputError
from seqlabel.features.fbank import GRAVES_2013, Fbank
from seqlabel.features.mfcc import GRAVES_2006, Mfcc
from seqlabel.features.table import FEATURES
from seqlabel.inputs import Audio

RATE = 16000


def speechlike(seconds=1.3, rate=RATE, seed=0):
    """Noise with formants that come and go, and silence at the end."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    voice = np.sin(2 * np.pi * 140 * t) + np.sin(2 * np.pi * 1100 * t) * np.sin(9 * t)
    signal = 0.1 * voice + 0.01 * rng.standard_normal(len(t)) + 0.02
    signal[-rate // 10 :] = 0
    return Audio(signal.astype(np.float32), rate)


def kaldi(function, audio, **options):
    import torchaudio.compliance.kaldi as compliance

    waveform = torch.from_numpy(audio.samples)[None] * 32768
    return getattr(compliance, function)(
        waveform, sample_frequency=audio.rate, dither=0.0, **options
    ).numpy()


@pytest.fixture(autouse=True)
def _torchaudio_is_there():
    import torchaudio_guard  # noqa: F401


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        ({}, {"num_mel_bins": 40}),
        ({"filters": 23, "energy": True}, {"num_mel_bins": 23, "use_energy": True}),
        (
            {"window": 20.0, "step": 8.0, "filters": 30, "low": 60.0, "high": -400.0},
            {"frame_length": 20.0, "frame_shift": 8.0, "num_mel_bins": 30, "low_freq": 60.0}
            | {"high_freq": -400.0},
        ),
        ({"rate": 8000, "preemphasis": 0.5}, {"num_mel_bins": 40, "preemphasis_coefficient": 0.5}),
    ],
)
def test_fbank_equals_kaldis(options, reference):
    extractor = Fbank(**options)
    audio = speechlike(6.0, rate=extractor.rate)
    expected = kaldi("fbank", audio, energy_floor=0.0, **reference)
    frames = extractor(audio)
    assert frames.x.shape == expected.shape == (len(frames), extractor.dim)
    assert frames.x.dtype == np.float32
    assert np.abs(frames.x - expected).max() < 2e-3


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        ({}, {}),
        ({"ceps": 20, "filters": 40, "lifter": 0.0}, {"num_ceps": 20, "num_mel_bins": 40}
         | {"cepstral_lifter": 0.0}),
        ({"window": 10.0, "step": 5.0, "energy": True}, {"frame_length": 10.0, "frame_shift": 5.0}
         | {"use_energy": True}),
    ],
)  # fmt: skip
def test_mfcc_equals_kaldis(options, reference):
    extractor, audio = Mfcc(**options), speechlike()
    expected = kaldi("mfcc", audio, energy_floor=0.0, **reference)
    found = extractor(audio).x
    assert found.shape == expected.shape == (len(found), extractor.dim)
    assert np.abs(found - expected).max() < 5e-3


def test_filterbank_by_the_definition():
    """One frame, each step written out in double precision."""
    audio = Audio(speechlike().samples[4000:4400], RATE)
    s = audio.samples.astype(np.float64) * 32768
    s = s - s.mean()
    energy = np.log((s**2).sum())
    emphasised = s - 0.97 * np.concatenate([s[:1], s[:-1]])
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    spectrum = [
        abs(np.sum(emphasised * window * np.exp(-2j * np.pi * k * np.arange(400) / 512))) ** 2
        for k in range(257)
    ]

    def mel(frequency):
        return 1127 * np.log(1 + frequency / 700)

    distance = (mel(8000) - mel(20)) / 24
    expected = [energy]
    for n in range(23):
        centre = mel(20) + (n + 1) * distance
        weights = [max(0, 1 - abs(mel(k * RATE / 512) - centre) / distance) for k in range(256)]
        expected.append(np.log(sum(w * p for w, p in zip(weights, spectrum, strict=False))))
    found = Fbank(filters=23, energy=True)(audio).x
    np.testing.assert_allclose(found, [expected], atol=1e-3)


def test_presets_have_the_published_dimensions():
    assert GRAVES_2013.dim == GRAVES_2013(speechlike()).x.shape[1] == 123
    assert GRAVES_2006.dim == GRAVES_2006(speechlike()).x.shape[1] == 26
    assert len(GRAVES_2006(speechlike(1.0))) == (16000 - 160) // 80 + 1


def test_times_are_those_of_the_window_centres():
    """A click lies in the frame that stands for its moment."""
    samples = np.zeros(RATE, dtype=np.float32)
    samples[8000] = 0.5
    frames = Fbank(energy=True)(Audio(samples, RATE))
    assert frames.period == 0.01
    assert frames.times[0] == pytest.approx(0.0075)
    loudest = frames.x[:, 1:].mean(axis=1)
    middle = frames.times[loudest > loudest.min() + 5].mean() + frames.period / 2
    assert middle == pytest.approx(0.5, abs=0.005)


def test_number_of_frames():
    """Whole windows only; a signal shorter than one is refused."""
    extractor = Fbank()
    for samples, count in ((400, 1), (559, 1), (560, 2), (16000, 98)):
        assert len(extractor(Audio(np.ones(samples, np.float32), RATE))) == count
    with pytest.raises(InputError, match="is shorter than a window of 25"):
        extractor(Audio(np.ones(399, np.float32), RATE))


@pytest.mark.parametrize("extractor", [Fbank(energy=True), Mfcc(), Mfcc(window=10, step=5)])
def test_a_frame_is_the_same_however_many_are_computed(extractor):
    """To the last bit: alone, in chunks of any size, and in the whole."""
    audio, step = speechlike(4.5), extractor.step_samples
    whole = extractor.static(audio)
    assert len(whole) > 3 * 128  # more than one block
    cuts = np.unique(np.random.default_rng(2).integers(1, len(whole), 20))
    borders = [0, *cuts, len(whole)]
    for start, end in [*itertools.pairwise(borders), (127, 128), (128, 129), (5, 390)]:
        part = audio.samples[start * step : (end - 1) * step + extractor.window_samples]
        np.testing.assert_array_equal(extractor.static(Audio(part, RATE)), whole[start:end])


def test_digital_silence_is_finite():
    for extractor in (GRAVES_2013, GRAVES_2006):
        assert np.isfinite(extractor(Audio(np.zeros(4000, np.float32), RATE)).x).all()


def test_another_rate_is_refused():
    with pytest.raises(InputError, match="audio of 8000 samples per second, but the"):
        Fbank()(speechlike(rate=8000))


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("fbank", {"filters": 200}, "too many for a window"),
        ("fbank", {"filters": 0}, "at least 1"),
        ("fbank", {"low": 9000.0}, "filters from 9000.0 to"),
        ("fbank", {"step": 0.0}, "must be positive"),
        ("fbank", {"window": 0.01}, "less than a sample"),
        ("mfcc", {"ceps": 24}, "between 1 and filters"),
        ("mfcc", {"deltas": -1}, "at least 0"),
    ],
)
def test_impossible_options_are_refused(kind, options, words):
    with pytest.raises(InputError, match=words):
        FEATURES[kind](**options)
