"""The readers of the package and the whole files that `fuzz.py` damages.

Formats come from the package's own tables: every suffix of audio, ink and images, every corpus,
every kind of transcript. A table's entry without a file here, made or found in --data, ends the
run.
"""

import dataclasses
import gzip
import io
import json
import random
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from fuzz_mutations import Folder
from PIL import Image as pillow

from seqlabel import load
from seqlabel.alphabet import Alphabet
from seqlabel.config import build, load_toml
from seqlabel.corpora import CORPORA
from seqlabel.corpora.manifest import read_manifest
from seqlabel.data.index import open_utterances
from seqlabel.decoding import Lexicon, NgramLM
from seqlabel.decoding.spotting.spotter import read_keywords
from seqlabel.export.writer import export
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.features.normalisation import Statistics
from seqlabel.inputs import Ink, audio, image, ink_files, read_audio, read_ink
from seqlabel.inputs.formats import iam_xml, ink_json, inkml, stroke_arrays, unipen, xournal
from seqlabel.inputs.sphere import write_sphere
from seqlabel.report.evidence import Evidence, read_evidence, write_evidence
from seqlabel.report.html.curves import read_curves
from seqlabel.scoring.transcripts import files as transcripts
from seqlabel.training import run_directory
from seqlabel.training.checkpoint import load_checkpoint
from seqlabel.training.experiment import Experiment

REAL_FILES = 6
"""Files of a suffix taken from --data: the smallest, so that many inputs are tried."""


@dataclass(frozen=True)
class Reader:
    """What is tried: `read` gets the folder an input was written to; `seeds` are whole inputs."""

    name: str
    seeds: list[Folder]
    read: Callable[[Path], Any]


def make_readers(data: Path | None = None) -> list[Reader]:
    """All readers with the inputs made here, and files of the right suffixes below `data`."""
    with tempfile.TemporaryDirectory() as folder:
        found = [reader for make in MAKERS for reader in make(Path(folder), data)]
    empty = [reader.name for reader in found if not reader.seeds]
    if empty:
        raise SystemExit(f"no whole file of: {', '.join(empty)}; make one in {__file__}")
    return found


def alone(name: str, contents: list[bytes], suffix: str, read: Callable[[Path], Any]) -> Reader:
    """A reader of single files."""
    file = f"input{suffix}"
    return Reader(name, [{file: data} for data in contents], lambda folder: read(folder / file))


def slurp(folder: Path) -> Folder:
    """The files of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written(write: Callable[[Path], object], path: Path) -> bytes:
    """What a writer writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    return path.read_bytes()


def real(data: Path | None, *suffixes: str) -> list[bytes]:
    """The smallest files below `data` with one of the suffixes."""
    found = [p for p in data.rglob("*") if p.suffix.lower() in suffixes] if data else []
    return [p.read_bytes() for p in sorted(found, key=lambda p: p.stat().st_size)[:REAL_FILES]]


TONE = (6000 * np.sin(np.arange(1600) * 0.3)).astype(np.int16)
INK = Ink([[[10, 20, 0.0], [13, 24, 0.25], [15, 29, 0.3]], [[40, 20, 1.5]]])
PRESSED = Ink([[[10, 20, 0.0, 0.5], [13, 24, 0.25, 1.0]], [[40, 20, 1.5, 0.1]]])


def audio_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """One for each container that libsndfile writes, and SPHERE."""

    def read(path: Path) -> None:
        read_audio(path, 16000, channel=0)
        audio.read_audio_header(path)

    for kind in sorted(soundfile.available_formats()):
        seeds = []
        for channels, subtype in ((1, None), (2, "PCM_16")):
            path = folder / f"{channels}.{kind}"
            try:
                samples = np.stack([TONE] * channels, axis=1)
                soundfile.write(path, samples, 16000, format=kind, subtype=subtype)
                read(path)
            except (soundfile.SoundFileError, TypeError, ValueError):
                continue  # raw samples, or a combination that the container does not know
            seeds.append(path.read_bytes())
        seeds += real(data, f".{kind.lower()}") if kind != "WAV" else []
        if seeds:
            yield alone(f"audio {kind}", seeds, ".wav", read)
    spheres = [written(lambda path: write_sphere(path, TONE, 16000), folder / "a.sph")]
    waves = real(data, ".wav", ".sph")
    spheres += [found for found in waves if found.startswith(b"NIST")]
    yield alone("audio SPHERE", spheres, ".sph", read)
    yield alone("audio of --data", waves or spheres, ".wav", read)


INK_TEXTS = {
    ".xml": b'<?xml version="1.0" encoding="ISO-8859-1"?><WhiteboardCaptureSession><StrokeSet>'
    b'<Stroke><Point x="1" y="2" time="0"/><Point x="3" y="4" time=".25"/></Stroke></StrokeSet>'
    b"</WhiteboardCaptureSession>",
    ".inkml": b'<ink xmlns="http://www.w3.org/2003/InkML"><traceFormat><channel name="X"/><channel'
    b' name="Y"/><channel name="T" units="ms"/></traceFormat><trace>1 2 3,\'1\'1\'5,"2"2"0</trace>'
    b'<traceGroup><trace id="a">5 6 30</trace><traceView traceDataRef="a"/></traceGroup></ink>',
    ".json": b'[[{"x": 1, "y": 2, "t": 0, "pressure": 0.5}, {"x": 3, "y": 4, "t": 20}]]',
    ".unipen": b'.VERSION 1.0\n.COORD X Y T\n.HIERARCHY WORD\n.SEGMENT WORD 0 ? "a"\n.PEN_DOWN\n'
    b" 1 2 0\n 3 4 10\n.PEN_UP\n.DT 100\n.PEN_DOWN\n 5 6 7\n.PEN_UP\n",
    ".xoj": b'<?xml version="1.0" standalone="no"?><xournal version="0.4.8"><page width="612.00"'
    b' height="792.00"><background type="solid" color="white" style="lined"/><layer><stroke'
    b' tool="pen" color="black" width="1.41 1.2 0.9">1.5 2 3 4 5 6.5</stroke><stroke'
    b' tool="eraser" color="white" width="8.50">1 2 3 4</stroke></layer></page></xournal>',
    ".svg": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 90" fill="none"><g'
    b' transform="translate(3,4) scale(2)" stroke="#123"><path d="M1 2l3 4h5V6c1 2 3 4 5 6s7 8 9'
    b' 1Q1 2 3-4t5.5.5z m1e1 2 3,4"/><polyline points="1,2 3,4"/><polygon points="1 2 3 4 5 7"/>'
    b'<line x1="1" y1="2" x2="3" y2="4" style="stroke:red"/><circle cx="5" cy="6" r="1"/></g>'
    b"</svg>",
}
"""Whole files by hand, of what the package's own writers do not write."""


def ink_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """One for each suffix that a folder of ink is searched for."""
    writers: dict[str, list[Callable[[Path, Ink], None]]] = {
        ".inkml": [inkml.write_inkml],
        ".xml": [iam_xml.write_iam_xml],
        ".ink": [ink_files.write_ink],
        ".json": [ink_json.write_ink_json],
        ".upn": [unipen.write_unipen],
        ".npy": [stroke_arrays.write_stroke3, stroke_arrays.write_stroke5],
        ".xopp": [xournal.write_xopp],
    }
    same = {".unipen": ".upn", ".dat": ".upn"}
    for suffix in ink_files.SUFFIXES:
        seeds = real(data, suffix)
        seeds += [INK_TEXTS[suffix]] if suffix in INK_TEXTS else []
        for write in writers.get(same.get(suffix, suffix), []):
            seeds += [
                written(lambda path, w=write, i=ink: w(path, i), folder / f"a{suffix}")
                for ink in (INK, PRESSED)
            ]
        if suffix == ".npz":
            stream = io.BytesIO()
            np.savez(stream, stroke_arrays.to_stroke3(INK))
            seeds.append(stream.getvalue())
        yield alone(f"ink {suffix}", seeds, suffix, read_ink)


def picture(form: str, mode: str, **options: Any) -> bytes:
    """A small image of a mode of Pillow's as a file."""
    rng = np.random.default_rng(1)
    grey = pillow.fromarray(rng.integers(0, 256, (9, 14), dtype=np.uint8))
    stream = io.BytesIO()
    grey.convert(mode).save(stream, form, **options)
    return stream.getvalue()


def image_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """One for each suffix that a folder of images is searched for."""
    tiffs = [
        picture("TIFF", "L"),
        picture("TIFF", "1", compression="group4"),
        picture("TIFF", "RGB", compression="tiff_lzw"),
        picture("TIFF", "I;16", compression="tiff_adobe_deflate"),
    ]
    jpegs = [picture("JPEG", mode) for mode in ("L", "RGB", "CMYK")]
    jpegs.append(picture("JPEG", "L", progressive=True))
    files = {
        ".png": [picture("PNG", mode) for mode in ("1", "L", "P", "LA", "RGBA", "I;16")],
        ".tif": tiffs,
        ".tiff": tiffs,
        ".pgm": [picture("PPM", "L"), b"P2\n# grey\n3 2\n9\n0 1 2\n3 4 9\n"],
        ".pbm": [picture("PPM", "1"), b"P1\n3 2\n0 1 0\n1 1 0\n"],
        ".ppm": [picture("PPM", "RGB"), b"P3\n1 2\n255\n0 1 2\n3 4 255\n"],
        ".jpg": jpegs,
        ".jpeg": jpegs,
        ".bmp": [picture("BMP", mode) for mode in ("1", "L", "P", "RGB")],
        ".webp": [picture("WEBP", "RGB"), picture("WEBP", "RGBA", lossless=True)],
    }
    for suffix in image.SUFFIXES:
        seeds = files.get(suffix, []) + real(data, suffix)
        yield alone(f"image {suffix}", seeds, suffix, image.read_image)


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


MANIFEST = [
    {"id": "a", "source": "a.wav", "kind": "speech", "labels": ["b", "c"], "text": "bc",
     "speaker": "s", "duration": 0.1, "segments": [["b", 0, 0.05], ["c", 0.05, 0.1]],
     "words": [["bc", 0, 0.1]], "tags": {"sex": "f"}},
    {"id": "d", "source": "a.wav", "kind": "speech", "labels": ["c"]},
]  # fmt: skip


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    """Rows as a .jsonl file."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def manifest_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """Prepared data: the manifest and its index, the alphabet."""
    text = json_lines(MANIFEST)
    yield alone("manifest", [text], ".jsonl", read_manifest)
    yield alone("index", [text], ".jsonl", lambda path: list(open_utterances(path)))
    alphabet = written(Alphabet("abc", unit="character").save, folder / "alphabet.json")
    yield alone("alphabet", [alphabet], ".json", Alphabet.load)


def corpus_folders(folder: Path) -> Iterator[tuple[str, dict[str, Any], Folder]]:
    """(corpus, its options, a small one)."""
    wave = written(lambda p: soundfile.write(p, TONE, 16000, format="WAV"), folder / "a.wav")
    sphere = written(lambda path: write_sphere(path, TONE, 16000), folder / "b.sph")
    speakers = ("FAAA0", "MBBB0", "MCCC0")
    timit: Folder = {}
    for name in speakers:
        place = f"TRAIN/DR1/{name}/SX1"
        timit |= {
            f"{place}.WAV": sphere,
            f"{place}.PHN": b"0 400 h#\n400 900 sh\n900 1500 h#\n",
            f"{place}.WRD": b"400 900 she\n",
            f"{place}.TXT": b"0 1601 She.\n",
        }
    lists = {"dev": ["MBBB0"], "test": ["MCCC0"]}
    yield "timit", {"speakers": lists}, timit
    an4: Folder = {"etc/an4.dic": b"A  AH\nA(2)  EY\nGO  G OW\nYES  Y EH S\n"}
    for name, ids in {"train": ["clstk/fash/a-fash-b", "clstk/mdxn/b-mdxn-b"]}.items():
        an4[f"etc/an4_{name}.fileids"] = "".join(f"{i}\n" for i in ids).encode()
        an4[f"etc/an4_{name}.transcription"] = "".join(
            f"<s> GO A </s> ({i.split('/')[-1]})\n" for i in ids
        ).encode()
        an4 |= {f"wav/{i}.wav": wave for i in ids}
    an4["etc/an4_test.fileids"] = b"clstk/fcaw/c-fcaw-b\n"
    an4["etc/an4_test.transcription"] = b"YES (c-fcaw-b)\n"
    an4["wav/clstk/fcaw/c-fcaw-b.wav"] = wave
    yield "an4", {"dev_speakers": ["mdxn"], "unit": "phone"}, an4
    iam: Folder = {}
    sets = {"trainset": "a01-000u", "testset_v": "b02-010z", "testset_f": "c03-003x"}
    for name, form in sets.items():
        iam[f"{name}.txt"] = f" {form}\n".encode()
        place = f"{form[:3]}/{form[:-1]}"
        line = written(lambda p: iam_xml.write_iam_xml(p, INK), folder / "a.xml")
        iam[f"lineStrokes/{place}/{form}-01.xml"] = line
        iam[f"ascii/{place}/{form}.txt"] = b"OCR:\n\nas\n\n\nCSR:\n\nA move\n\n"
    iam["testset_t.txt"] = b""
    yield "iam_ondb", {}, iam
    scans: Folder = {
        "ascii/lines.txt": b"# lines\n",
        "ascii/forms.txt": b"# forms\na01-000u 000 2 prt 7\nb02-010 001 2 all 5\nc03-003 002 1\n",
    }
    lists = {"trainset": "a01-000u-00", "validationset1": "b02-010-00", "testset": "c03-003-01"}
    for name, line in lists.items():
        scans[f"{name}.txt"] = f"{line}\n".encode()
        form = line.rpartition("-")[0]
        scans[f"lines/{form[:3]}/{form}/{line}.png"] = picture("PNG", "L")
        scans["ascii/lines.txt"] += f"{line} ok 154 19 408 746 1661 89 A|move|to\n".encode()
    yield "iam", {}, scans
    rows: list[dict[str, Any]] = [
        {"word": "cat", "countrycode": "VE", "recognized": True, "drawing": [[[1, 3], [2, 4]]]},
        {"label": "dog", "speaker": "s", "strokes": [[[1, 3], [2, 4], [0, 25]]]},
        {
            "text": "a b",
            "writer": "w",
            "ink": [[{"x": 1, "y": 2, "t": 0}, {"x": 3, "y": 4, "t": 9}]],
        },
        {"word": "cat", "drawing": [[[1, 3], [2, 4], [0, 20]], [[5], [6], [30]]]},
    ]
    yield "drawings", {}, {f"{name}.ndjson": json_lines(rows) for name in ("train", "dev", "test")}
    formula = (
        b'<ink xmlns="http://www.w3.org/2003/InkML"><annotation type="writer">w</annotation>'
        b'<annotation type="truth">$x-1$</annotation><trace id="0">0 1, 2 3</trace><trace id="1">'
        b'4 5</trace><traceGroup><annotation type="truth">Segmentation</annotation><traceGroup>'
        b'<annotation type="truth">x</annotation><traceView traceDataRef="0"/></traceGroup>'
        b'<traceGroup><annotation type="truth">1</annotation><traceView traceDataRef="1"/>'
        b"</traceGroup></traceGroup></ink>"
    )
    places = ("TrainINKML/HAMEX/a", "TestINKMLGT/b", "TestEM2014GT/c")
    yield "crohme", {"skip_bad": False}, {f"{place}.inkml": formula for place in places}
    own = {
        f"{part}/{name}.{suffix}": content
        for part in ("train", "dev", "test")
        for name in (f"{part}1", f"{part}2")
        for suffix, content in (("wav", wave), ("txt", b"Hello you"))
    }
    yield "folder", {}, own
    rows = [
        {"source": "a.wav", "text": "Hello", "id": "x", "set": "train", "speaker": "s"},
        {"source": "a.wav", "labels": ["b", "c"], "id": "y", "set": "dev", "duration": 1},
    ]
    yield "manifest", {}, {"input.jsonl": json_lines(rows), "a.wav": wave}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in own.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    yield "webdataset", {}, {"train-0.tar": stream.getvalue()}
    yield from listed_folders(wave)


def listed_folders(wave: bytes) -> Iterator[tuple[str, dict[str, Any], Folder]]:
    """Lists of other tools, of 0.1 s of one recording."""
    alone: dict[str, Any] = {"dev": 0.0, "test": 0.0}
    kaldi = {
        "wav.scp": b"r a.wav\n",
        "segments": b"s-1 r 0.01 0.08\ns-2 r 0.02 -1 0\n",
        "text": b"s-1 hello you\ns-2 no\n",
        "utt2spk": b"s-1 s\ns-2 s\n",
        "spk2gender": b"s f\n",
    }
    yield "kaldi", alone, {**kaldi, "a.wav": wave}
    supervision = {
        "id": "s", "recording_id": "r", "start": 0.01, "duration": 0.05, "channel": 0,
        "text": "yes no", "speaker": "p", "alignment": {"word": [["yes", 0.01, 0.02, 1.0]]},
    }  # fmt: skip
    recording = {
        "id": "r", "sources": [{"type": "file", "channels": [0], "source": "a.wav"}],
        "sampling_rate": 16000, "num_samples": 1600, "duration": 0.1,
    }  # fmt: skip
    cut = {
        "id": "c", "start": 0.01, "duration": 0.08, "channel": 0, "type": "MonoCut",
        "supervisions": [supervision, {**supervision, "id": "t"}], "recording": recording,
    }  # fmt: skip
    cuts = json_lines([cut, {**cut, "id": "d", "supervisions": [supervision]}])
    yield "lhotse", alone, {"cuts.jsonl": cuts, "a.wav": wave}
    yield "lhotse", alone, {"cuts.jsonl.gz": gzip.compress(cuts, mtime=0), "a.wav": wave}
    pair = {
        "x_recordings.jsonl": json_lines([recording]),
        "x_supervisions.jsonl": json_lines([supervision]),
    }
    yield "lhotse", alone, {**pair, "a.wav": wave}
    nemo = [
        {"audio_filepath": "a.wav", "duration": 0.1, "text": "yes"},
        {"audio_filepath": "a.wav", "offset": 0.01, "duration": 0.05, "text": "no", "speaker": "s"},
    ]
    yield "nemo", alone, {"train.json": json_lines(nemo), "a.wav": wave}
    stm = b"a 1 s 0.01 0.05 <o,f0> b c\na 1 s 0.05 0.09 IGNORE_TIME_SEGMENT_IN_SCORING\n"
    yield "timed", alone, {"x.stm": stm + b"a 1 t 0.05 0.1 <space> d\n", "a.wav": wave}
    ctm = b"a 1 0.00 0.05 b 0.99\na 1 0.05 0.02 c\n"
    yield "timed", {**alone, "unit": "word"}, {"x.ctm": ctm, "a.wav": wave}
    grid = b'"ooTextFile"\n"TextGrid"\n0 0.1 <exists> 2\n"IntervalTier" "words" 0 0.1 2\n'
    grid += b'0 0.05 "a ""b"""\n0.05 0.1 "c"\n"TextTier" "p" 0 0.1 1\n0.05 "x"\n'
    utterances = {**alone, "tier": "words", "intervals": "utterances"}
    yield "timed", utterances, {"a.TextGrid": grid, "a.wav": wave}
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        return
    audio = [{"bytes": wave, "path": "a.wav"}, {"bytes": None, "path": "a.wav"}]
    table = pyarrow.table({"audio": audio, "text": ["yes", "no"], "more": [1.5, None]})
    stored, streamed = io.BytesIO(), io.BytesIO()
    pyarrow.parquet.write_table(table, stored)
    with pyarrow.ipc.new_stream(streamed, table.schema) as stream:
        stream.write_table(table)
    options = {**alone, "audio": "written"}
    for name, content in (("x.parquet", stored), ("x.arrow", streamed)):
        yield "datasets", options, {name: content.getvalue(), "a.wav": wave}


SINGLE = {"manifest": "input.jsonl"}
"""Corpora whose SRC is a file."""


def corpus_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """`seqlabel prepare`: read a corpus and write its manifests."""
    seeds: dict[str, list[tuple[dict[str, Any], Folder]]] = {name: [] for name in CORPORA}
    for name, options, files in corpus_folders(folder):
        seeds[name].append((options, files))
    for name, found in seeds.items():
        for number, (table, files) in enumerate(found or [({}, {})]):
            corpus = CORPORA[name]
            options = build(corpus.Options, table, name)

            def read(
                path: Path, corpus: Any = corpus, options: Any = options, name: str = name
            ) -> None:
                if getattr(options, "audio", ""):
                    options = dataclasses.replace(options, audio=str(path / options.audio))
                corpus.prepare(path / SINGLE.get(name, "."), options).save(path / "prepared")

            title = f"corpus {name}" + (f" {number + 1}" if number else "")
            yield Reader(title, [files] if files else [], read)


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
    audio_readers, ink_readers, image_readers, transcript_readers, manifest_readers, corpus_readers,
    model_readers, language_readers,
)  # fmt: skip
