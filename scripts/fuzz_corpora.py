"""Readers of corpora, with a small one of each kind."""

import dataclasses
import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile
from fuzz_files import INK, TONE, Reader, json_lines, picture, written
from fuzz_mutations import Folder

from seqlabel.config import build
from seqlabel.corpora import CORPORA
from seqlabel.inputs.formats import iam_xml
from seqlabel.inputs.sphere import write_sphere


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
