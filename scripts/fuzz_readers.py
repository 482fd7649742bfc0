"""The readers of the package and the whole files that `fuzz.py` damages.

Formats come from the package's own tables: every suffix of audio, ink and images, every corpus,
every kind of transcript. A table's entry without a file here, made or found in --data, ends the
run.
"""

import gzip
import io
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz_corpora import corpus_readers
from fuzz_files import INK, TONE, Reader, alone, json_lines, real, slurp, written
from fuzz_signals import audio_readers, image_readers, ink_readers, series_readers

from seqlabel import load
from seqlabel.alphabet import Alphabet
from seqlabel.config import load_toml
from seqlabel.corpora.manifest import read_manifest
from seqlabel.data.index import open_utterances
from seqlabel.decoding import Lexicon, NgramLM
from seqlabel.decoding.spotting.spotter import read_keywords
from seqlabel.export.writer import export
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.features.normalisation import Statistics
from seqlabel.inputs import audio
from seqlabel.report.evidence import Evidence, read_evidence, write_evidence
from seqlabel.report.html.curves import read_curves
from seqlabel.report.values import read_header, read_predictions
from seqlabel.scoring.transcripts import files as transcripts
from seqlabel.training import run_directory
from seqlabel.training.checkpoint import load_checkpoint
from seqlabel.training.experiment import Experiment


def make_readers(data: Path | None = None) -> list[Reader]:
    """All readers with the inputs made here, and files of the right suffixes below `data`."""
    with tempfile.TemporaryDirectory() as folder:
        found = [reader for make in MAKERS for reader in make(Path(folder), data)]
    empty = [reader.name for reader in found if not reader.seeds]
    if empty:
        raise SystemExit(
            f"no whole file of: {', '.join(empty)}; make one in {Path(__file__).parent}"
        )
    return found


def transcript_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """One for each kind of transcript file."""
    texts = {
        ".jsonl": b'{"decoder": "greedy", "unit": "word"}\n{"id": "a", "labels": ["b", "c"], '
        b'"text": "b c", "spans": [["b", 0, 0.5, 1], ["c", 0.5, 1, 0.25]], "tags": {"s": "f"}}\n',
        ".trn": b"b c <space> <x2a> (a)\n;; comment\nd (e)\n",
        ".ctm": b"a 1 0.00 0.50 b 0.99\na 1 0.50 0.25 c\ne A 1 2 d\n",
        ".stm": b"a 1 s 0.0 1.5 <o,f0> b c\na 1 s 1.5 2.5 IGNORE_TIME_SEGMENT_IN_SCORING\n"
        b"e 1 t 0 2 d\n",
        ".txt": b"a b c\ne d <space> <x2a>\n",
    }
    for suffix in [*transcripts.READERS, ".txt"]:
        seeds = [texts[suffix]] if suffix in texts else []
        yield alone(f"transcripts {suffix}", seeds, suffix, transcripts.read_transcripts)
    values = [
        {"values": {"target": "file", "ahead": 1}, "features": {"kind": "mfcc"}},
        {"id": "a", "values": [[0.5, -1e3], [2, 0]], "deviations": [[1, 1], [0.25, 1e-3]]},
    ]

    def read(path: Path) -> None:
        read_header(path)
        read_predictions(path)

    yield alone("predictions", [json_lines(values)], ".jsonl", read)


MANIFEST = [
    {"id": "a", "source": "a.wav", "kind": "speech", "labels": ["b", "c"], "text": "bc",
     "speaker": "s", "duration": 0.1, "segments": [["b", 0, 0.05], ["c", 0.05, 0.1]],
     "words": [["bc", 0, 0.1]], "tags": {"sex": "f"}},
    {"id": "d", "source": "a.wav", "kind": "speech", "labels": ["c"]},
]  # fmt: skip


def manifest_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """Prepared data: the manifest and its index, the alphabet."""
    text = json_lines(MANIFEST)
    yield alone("manifest", [text], ".jsonl", read_manifest)
    yield alone("index", [text], ".jsonl", lambda path: list(open_utterances(path)))
    alphabet = written(Alphabet("abc", unit="character").save, folder / "alphabet.json")
    yield alone("alphabet", [alphabet], ".json", Alphabet.load)


CONFIG = b"""seed = 3
[features]
kind = "fbank"
filters = 8
[front_end]
stack = 2
stride = 2
[model]
hidden = 3
layers = 2
subsample = 2
[batches]
frames = 800
[augmentation]
speeds = [0.9]
[[phases]]
epochs = 2
learning_rate = 0.01
"""


def model_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """Configurations, model directories, checkpoints, what a run and a report leave behind."""
    yield alone("configuration", [CONFIG, *real(data, ".toml")], ".toml", Experiment.load)
    yield alone("TOML", [CONFIG], ".toml", load_toml)
    (folder / "config.toml").write_bytes(CONFIG)
    experiment = Experiment.load(folder / "config.toml")
    alphabet = Alphabet("abc", unit="character")
    width = make_extractor(experiment.features).dim
    statistics = Statistics(np.zeros(width, np.float32), np.ones(width, np.float32))
    front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end, statistics)
    model = run_directory.make_model(experiment, front_end, alphabet)
    place = folder / "model"
    run_directory.write_description(place, experiment, alphabet, front_end, {})
    run_directory.save_weights(place / run_directory.WEIGHTS, model.state_dict())
    tone = audio.Audio(TONE, 16000)
    yield Reader("model directory", [slurp(place)], lambda path: load(path).read(tone))
    for title, whole in (("frames", False), ("samples", True)):
        export(place, folder / "model.onnx", front_end=whole)
        graph = (folder / "model.onnx").read_bytes()
        yield alone(f"ONNX of {title}", [graph], ".onnx", lambda path: load(path).read(tone))
    progress: dict[str, Any] = {"progress": {}, "weights": model.state_dict()}
    stream = io.BytesIO()
    torch.save(progress, stream)
    yield Reader("checkpoint", [{"last.pt": stream.getvalue()}], load_checkpoint)
    log = b"epoch,phase,train_loss,dev_error\n1,a,2.5,0.5\n2,a,nan,0.25\n"
    yield alone("log", [log], ".csv", read_curves)
    posteriors, times = np.full((4, 3), 0.3, np.float32), np.arange(4) * 0.1
    pages = {
        "a": Evidence.of_speech(posteriors, ("b", "c"), times, TONE / 32768.0, 16000, ()),
        "b": Evidence.of_ink(posteriors, ("b", "c"), times, INK.strokes, [("b", 0.0, 0.3)]),
    }
    shown = written(lambda path: write_evidence(path, pages), folder / "a.npz")
    yield alone("evidence", [shown], ".npz", read_evidence)


def language_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """Language models, lexica, keywords."""
    rng = random.Random(1)
    sentences = [tuple(rng.choices("abc", k=5)) for _ in range(30)]
    arpa = written(NgramLM.train(sentences, 3).to_arpa, folder / "a.arpa")
    srilm = (
        b"\n\\data\\\nngram 1=3\nngram 2=1\n\n\\1-grams:\n-0.5\t<s>\t-0.3\n-0.3 </s>\n-1.2 a -0.1\n"
    )
    srilm += b"\n\\2-grams:\n-0.2\t<s> a\n\n\\end\\\n"
    packed = gzip.compress(arpa)
    yield alone("ARPA", [arpa, srilm, packed, *real(data, ".arpa")], ".arpa", NgramLM.from_arpa)
    alphabet = Alphabet("abc ", unit="character")
    lexicon = b"abc\nab a b\nca c a\n\n# no\ncab c a b\n"
    yield alone("lexicon", [lexicon], ".txt", lambda path: Lexicon.from_file(path, alphabet, " "))
    yield alone("keywords", [lexicon], ".txt", lambda path: read_keywords(path, alphabet))


MAKERS: tuple[Callable[[Path, Path | None], Iterator[Reader]], ...] = (
    audio_readers, ink_readers, image_readers, series_readers, transcript_readers, manifest_readers,
    corpus_readers, model_readers, language_readers,
)  # fmt: skip
