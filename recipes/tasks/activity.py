"""Speech activity detection in noise.

    python activity.py make OUT [--seed N]
    python activity.py judge DATA HYP

Sentences of the synthetic speech corpus with pauses between them, in noise of random colour and
varying level. The signal-to-noise ratio of a recording is between 0 and 15 dB. Pauses within a
sentence count as silence if they last at least 0.2 s.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from common import SETS, Results, Rows, counts, frame_labels, read_hypotheses, read_sets, run

from seqlabel.config import build, load_toml
from seqlabel.corpora.timit import Options, prepare
from seqlabel.inputs import read_audio
from seqlabel.synthetic.speech import RATE, SpeechCorpus, write_corpus

STEP = 0.01
"""Frame period of the baseline and the score in seconds."""
PAUSE = 0.2


def noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of power 1 with the spectrum f^-a, whose level varies within seconds."""
    spectrum = np.fft.rfft(rng.normal(size=samples))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** -rng.uniform(0, 0.8)
    spectrum[0] = 0
    found = np.fft.irfft(spectrum, samples)
    knots = np.arange(0, samples + RATE, RATE)
    level = np.interp(np.arange(samples), knots, rng.normal(0, 5, len(knots)))
    found *= 10 ** (level / 20)
    return found / np.sqrt(np.mean(found**2))


def recording(utterances, rng: np.random.Generator):
    """Samples of sentences in noise, and their segments [label, start, end]."""
    parts, spoken, place = [], [], 0
    for utterance in utterances:
        parts.append(np.zeros(int(RATE * rng.uniform(0.4, 3))))
        place += len(parts[-1])
        samples = read_audio(utterance.source, RATE).samples
        for segment in utterance.segments:
            begin, end = place / RATE + segment.start, place / RATE + segment.end
            if segment.label in ("h#", "pau", "epi"):
                continue
            if spoken and begin - spoken[-1][1] < PAUSE:
                spoken[-1][1] = end
            else:
                spoken.append([begin, end])
        parts.append(samples)
        place += len(samples)
    clean = np.concatenate([*parts, np.zeros(int(RATE * rng.uniform(0.4, 2)))])
    power = np.mean(np.concatenate(parts[1::2]) ** 2)
    loudness = np.sqrt(power) * 10 ** (-rng.uniform(0, 15) / 20)
    mixed = clean + loudness * noise(len(clean), rng)
    borders = [0.0, *(time for pair in spoken for time in pair), len(clean) / RATE]
    labels = [("silence", "speech")[n % 2] for n in range(len(borders) - 1)]
    triples = zip(labels, borders, borders[1:], strict=False)
    return mixed / np.abs(mixed).max() * 0.9, [list(t) for t in triples if t[1] < t[2]]


def make(out: Path, args: argparse.Namespace) -> Rows:
    """Rows of recordings, each of three sentences by one speaker."""
    rng = np.random.default_rng(args.seed)
    sizes = counts(args.scale, 24, 5, 10)  # speakers
    rows: Rows = {}
    with tempfile.TemporaryDirectory() as folder:
        sentences = 3 * max(1, round(3 * args.scale))
        options = SpeechCorpus(tuple(sizes.values()), sentences, args.seed)
        write_corpus(Path(folder) / "speech", options)
        chosen = load_toml(Path(folder) / "speech" / "speakers.toml")
        corpus = prepare(Path(folder) / "speech", build(Options, chosen, "speakers.toml"))
        for name in SETS:
            (out / f"{name}-audio").mkdir()
            rows[name] = []
            own = sorted(corpus.splits[name], key=lambda u: u.id)
            for n in range(0, len(own) - 2, 3):
                samples, triples = recording(own[n : n + 3], rng)
                source = f"{name}-audio/{n // 3:05d}.wav"
                soundfile.write(out / source, samples, RATE, subtype="PCM_16")
                labels = [label for label, _, _ in triples]
                rows[name].append({"source": source, "kind": "speech", "labels": labels,
                                   "segments": triples})  # fmt: skip
    return rows


def energies(path: Path) -> np.ndarray:
    """(T,) level in dB of 25 ms windows every 10 ms, relative to the recording's 10 % quantile."""
    x = read_audio(path, RATE).samples.astype(np.float64)
    power = np.concatenate([[0], np.cumsum(x**2)])
    starts = np.arange(0, len(x) - 400, 160)
    level = 10 * np.log10((power[starts + 400] - power[starts]) / 400 + 1e-10)
    return np.asarray(level - np.quantile(level, 0.1))


def smooth(x: np.ndarray, frames: int) -> np.ndarray:
    """Moving average."""
    window = np.ones(frames) / frames
    return np.convolve(np.pad(x, (frames // 2, frames - 1 - frames // 2), "edge"), window, "valid")


def judge(data: Path, hyp: Path) -> Results:
    """Rates of wrong frames (10 ms); threshold and window of the baseline are chosen on dev."""
    levels, true, ids = {}, {}, {}
    for name, own in read_sets(data).items():
        levels[name] = [energies(u.source) for u in own]
        pairs = zip(own, levels[name], strict=True)
        true[name] = [frame_labels(u.segments, len(x), STEP) == "speech" for u, x in pairs]
        ids[name] = [u.id for u in own]

    best = (1.0, 0.0, 0)
    for window in (1, 5, 11, 21, 31, 51, 71):
        joined = np.concatenate([smooth(x, window) for x in levels["dev"]])
        for threshold in np.arange(1, 25, 0.5):
            error = float(((joined > threshold) != np.concatenate(true["dev"])).mean())
            best = min(best, (error, float(threshold), window))
    _, threshold, window = best
    spans = read_hypotheses(hyp / "test" / "greedy.jsonl")
    network = [
        frame_labels(spans[name]["spans"], len(x), STEP) == "speech"
        for name, x in zip(ids["test"], levels["test"], strict=True)
    ]
    always = [np.ones(len(x), bool) for x in levels["test"]]
    return {
        "BLSTM": rates(network, true["test"]),
        f"energy, {threshold:g} dB over {10 * window} ms": rates(
            [smooth(x, window) > threshold for x in levels["test"]], true["test"]
        ),
        "always speech": rates(always, true["test"]),
    }


def rates(found: list[np.ndarray], true: list[np.ndarray]) -> dict[str, float]:
    """Rates of wrong frames, of missed speech, and of silence taken for speech."""
    x, y = np.concatenate(found), np.concatenate(true)
    return {"frame error": float((x != y).mean()), "missed": float((~x[y]).mean()),
            "false alarms": float(x[~y].mean())}  # fmt: skip


if __name__ == "__main__":
    run(make, judge)
