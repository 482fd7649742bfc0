"""Speed of features: speech compared with other packages, ink with its goals.

    python scripts/bench_features.py [--quick] [--json FILE]

Ink: lines of 600 points by random hands, normalisation included, one thread; the seconds are those
for 1000 lines, the goals 10 s for the 25 features and 2 s for the differences. Reading the files
and compiling the kernels (once, at the first line) are not counted.

Speech: a minute of synthetic speech at 16 kHz, one thread, the contestants in turn, medians of
interleaved rounds; packages that are not installed are named. "fbank" is 40 filters and
energy, "mfcc" 13 coefficients; those of torchaudio.compliance.kaldi and of kaldi-native-fbank are
the same numbers (the largest difference is shown), the others are different filter banks. The same
minute at 44.1 kHz is resampled to 16 kHz by torchaudio with the same filter.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torchaudio_guard import torchaudio

from seqlabel.features.fbank import GRAVES_2013, Fbank
from seqlabel.features.ink import Ink25, InkBezier, InkDelta, InkRaw
from seqlabel.features.mfcc import Mfcc
from seqlabel.files import write_json
from seqlabel.inputs import Audio, Ink
from seqlabel.inputs.resampling import BETA, ROLLOFF, ZEROS, resample
from seqlabel.synthetic.hands import random_hand, write_text
from seqlabel.synthetic.text import make_language

RATE = 16000
GOALS = {"ink_delta": 2.0, "ink_25": 10.0}
"""Seconds for 1000 lines of 600 points on one core."""

Contestants = dict[str, Callable[[], object]]


def synthetic_speech(seconds: float, seed: int = 0) -> Audio:
    """Noise and harmonics of a gliding pitch."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = 120 * t + 8 * np.sin(3 * t)
    voice = sum(np.sin(2 * np.pi * k * pitch) / k for k in range(1, 12))
    return Audio((0.05 * voice + 0.01 * rng.standard_normal(len(t))).astype(np.float32), RATE)


def contestants(audio: Audio) -> tuple[dict[str, Contestants], list[str]]:
    """Task -> name -> function; the names of absent peers. The first name of a task is seqlabel."""
    import torchaudio.compliance.kaldi as compliance

    wave = torch.from_numpy(audio.samples)[None] * 32768
    fbank, mfcc = Fbank(filters=40, energy=True), Mfcc()
    mel = torchaudio.transforms.MelSpectrogram(RATE, 512, 400, 160, n_mels=40)
    tasks: dict[str, Contestants] = {
        "fbank": {
            "seqlabel": lambda: fbank(audio).x,
            "torchaudio.compliance": lambda: compliance.fbank(
                wave, num_mel_bins=40, use_energy=True, energy_floor=0.0
            ).numpy(),
            "torchaudio.transforms (other filters)": lambda: mel(wave).log().numpy(),
        },
        "mfcc": {
            "seqlabel": lambda: mfcc(audio).x,
            "torchaudio.compliance": lambda: compliance.mfcc(wave, energy_floor=0.0).numpy(),
        },
        "123 inputs of Graves 2013": {"seqlabel": lambda: GRAVES_2013(audio).x},
    }
    at_cd_rate = torch.from_numpy(resample(audio.samples, RATE, 44100))
    tasks["44.1 to 16 kHz"] = {
        "seqlabel": lambda: resample(at_cd_rate.numpy(), 44100, RATE),
        "torchaudio.functional": lambda: torchaudio.functional.resample(
            at_cd_rate, 44100, RATE, lowpass_filter_width=ZEROS, rolloff=ROLLOFF,
            resampling_method="sinc_interp_kaiser", beta=BETA,
        ).numpy(),
    }  # fmt: skip
    absent = []
    try:
        import kaldi_native_fbank

        tasks["fbank"]["kaldi-native-fbank"] = lambda: native(kaldi_native_fbank, audio)
    except ImportError:
        absent.append("kaldi-native-fbank")
    try:
        import python_speech_features

        tasks["fbank"]["python_speech_features (other filters)"] = lambda: np.asarray(
            python_speech_features.logfbank(audio.samples, RATE, nfilt=40)
        )
    except ImportError:
        absent.append("python_speech_features")
    return tasks, absent


def native(library, audio: Audio) -> np.ndarray:
    """Kaldi's code through Python: samples in, frames fetched one by one."""
    options = library.FbankOptions()
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = 40
    options.use_energy = True
    options.energy_floor = 0.0
    bank = library.OnlineFbank(options)
    bank.accept_waveform(RATE, (audio.samples * 32768).tolist())
    bank.input_finished()
    return np.stack([bank.get_frame(t) for t in range(bank.num_frames_ready)])


def lines_of_ink(count: int, points: int = 600) -> list[Ink]:
    """Sentences by random hands, cut to the same number of points."""
    rng = np.random.default_rng(0)
    language = make_language(0)
    lines = []
    for _ in range(count):
        text = " ".join(language.sentence(rng) for _ in range(3))
        ink = write_text(text, random_hand(rng, links=True), rng)
        offsets = np.append(ink.offsets[ink.offsets < points], points)
        lines.append(ink.with_points(ink.points[:points], offsets))
    return lines


def measure_ink(lines: list[Ink], rounds: int) -> list[dict[str, object]]:
    """A row for each extractor: seconds for 1000 lines, medians of interleaved rounds."""
    extractors = {"ink_raw": InkRaw(), "ink_delta": InkDelta(), "ink_25": Ink25()}
    extractors["ink_bezier"] = InkBezier()
    functions = {
        name: lambda extractor=extractor: [extractor(ink) for ink in lines]
        for name, extractor in extractors.items()
    }
    rows = []
    for name, milliseconds in measure(functions, rounds).items():
        frames = statistics.mean(len(extractors[name](ink)) for ink in lines)
        seconds = milliseconds / len(lines)
        row = {"task": name, "contestant": "seqlabel", "seconds_per_1000_lines": round(seconds, 3)}
        rows.append(row | {"goal": GOALS.get(name), "frames": round(frames)})
        goal = f"  goal {GOALS[name]:g} s" if name in GOALS else ""
        what = f"1000 lines, {frames:.0f} frames each"
        print(f"{name:<26} {what:<40} {seconds:8.2f} s{goal}")
    return rows


def measure(functions: Contestants, rounds: int) -> dict[str, float]:
    """Name -> milliseconds, medians of interleaved rounds after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 s of audio, 20 lines, 3 rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    seconds, rounds = (5.0, 3) if args.quick else (60.0, 15)
    tasks, absent = contestants(synthetic_speech(seconds))
    results = measure_ink(lines_of_ink(20 if args.quick else 200), 3 if args.quick else 5)
    for task, functions in tasks.items():
        reference = functions["seqlabel"]()
        milliseconds = measure(functions, rounds)
        for name, value in milliseconds.items():
            found = functions[name]()
            same = found.shape == reference.shape
            difference = float(np.abs(found - reference).max()) if same else None
            row = {
                "task": task,
                "contestant": name,
                "milliseconds": round(value, 2),
                "ratio": round(value / milliseconds["seqlabel"], 2),
                "largest_difference": difference,
            }
            results.append(row)
            agrees = "" if difference is None else f"  differs by at most {difference:.1e}"
            print(f"{task:<26} {name:<40} {value:8.2f} ms {row['ratio']:6.2f}{agrees}")
    if absent:
        print(f"absent: {', '.join(absent)}")
    if args.json:
        write_json(args.json, {"seconds": seconds, "results": results, "absent": absent})


if __name__ == "__main__":
    main()
