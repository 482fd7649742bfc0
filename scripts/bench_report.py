#!/usr/bin/env python3
"""Time to write, and size of, the HTML report of 200 utterances with sound and posteriors.

The utterances are synthetic: three seconds of noise modulated like syllables, 40 phones.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from seqlabel.alphabet.phones import PHONES_39
from seqlabel.files import write_json
from seqlabel.report.evidence import Evidence, read_evidence, write_evidence
from seqlabel.report.html.page import write_html
from seqlabel.scoring import Transcript, Transcripts, score

RATE, SECONDS, PHONES, STEP = 16000, 3.1, 40, 0.01


def spoken(labels: list[str], rng: np.random.Generator) -> Evidence:
    """Noise that swells four times a second and falls with frequency; a spike for each label."""
    count, frames = int(RATE * SECONDS), int(SECONDS / STEP)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= 1 + np.arange(len(spectrum)) / (500 * SECONDS)
    loudness = np.maximum(0.02, np.sin(2 * np.pi * 4 * np.arange(count) / RATE))
    sound = np.fft.irfft(spectrum, count) * loudness
    probabilities = np.zeros((frames, len(PHONES_39) + 1))
    for n, label in enumerate(labels):
        at = int((n + 0.5) * frames / len(labels))
        k, other = 1 + PHONES_39.index(label), rng.integers(1, len(PHONES_39) + 1)
        probabilities[at : at + 3, k] = 0.7 * rng.random(3)
        probabilities[at : at + 3, other] += 0.2 * rng.random(3)
    probabilities[:, 0] = 1 - probabilities[:, 1:].sum(axis=1)
    edges = np.linspace(0, SECONDS, len(labels) + 1)
    return Evidence.of_speech(
        probabilities, PHONES_39, np.arange(frames) * STEP, 0.3 * sound / np.abs(sound).max(), RATE,
        zip(labels, edges[:-1], edges[1:], strict=True),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements")
    parser.add_argument("--quick", action="store_true", help="20 utterances")
    args = parser.parse_args()
    utterances = 20 if args.quick else 200
    rng = np.random.default_rng(0)
    references, hypotheses, evidence = {}, {}, {}
    for n in range(utterances):
        labels = rng.choice(PHONES_39, PHONES).tolist()
        read = [p if rng.random() > 0.2 else str(rng.choice(PHONES_39)) for p in labels]
        key = f"speaker{n % 24:02d}_sentence{n:03d}"
        references[key] = Transcript(key, tuple(labels), "", key[:9])
        hypotheses[key] = Transcript(key, tuple(read))
        evidence[key] = spoken(read, rng)
    report = score(
        Transcripts("reference", references, "phone"), Transcripts("system", hypotheses), "kaldi"
    )
    with tempfile.TemporaryDirectory() as folder:
        kept, page = Path(folder) / "evidence.npz", Path(folder) / "report.html"
        start = time.perf_counter()
        write_evidence(kept, evidence)
        written = time.perf_counter()
        again = read_evidence(kept)
        read_in, computed = time.perf_counter(), time.process_time()
        write_html([report], page, [again])
        end = time.perf_counter()
        result = {
            "utterances": utterances,
            "evidence_megabytes": kept.stat().st_size / 1e6,
            "evidence_write_seconds": written - start,
            "evidence_read_seconds": read_in - written,
            "report_megabytes": page.stat().st_size / 1e6,
            "report_seconds": end - read_in,
            "report_cpu_seconds": time.process_time() - computed,
        }
    for name, value in result.items():
        print(f"{name:24} {value:.2f}" if isinstance(value, float) else f"{name:24} {value}")
    if args.json:
        write_json(args.json, result)


if __name__ == "__main__":
    main()
