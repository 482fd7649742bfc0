"""Our counts against NIST's sclite, from Debian's package `sctk`; skipped where it is absent."""

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from seqlabel.report.files import scored_hypotheses, scored_references
from seqlabel.scoring import (
    Transcript,
    Transcripts,
    compare,
    read_transcripts,
    score,
    write_transcripts,
)

DEBIAN = Path("/usr/lib/sctk/bin/sclite")
SCLITE = shutil.which("sclite") or (str(DEBIAN) if DEBIAN.is_file() else None)

pytestmark = pytest.mark.skipif(
    SCLITE is None, reason="sclite is absent (Debian and Ubuntu: apt-get install sctk)"
)


def sclite(folder, reference, hypothesis, *options):
    """id -> (C, S, D, I) as sclite counts them; -s makes it respect case."""
    kinds = Path(reference).suffix[1:], Path(hypothesis).suffix[1:]
    command = [SCLITE, "-s", "-r", reference, kinds[0], "-h", hypothesis, kinds[1], *options]
    if kinds[0] == "trn":
        command += ["-i", "spu_id"]
    command += ["-o", "pralign", "stdout"]
    out = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout.decode()
    counts = r"Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)"
    found = re.findall(r"id: \((.*)\)\n(?:Labels.*\n)?(?:File: (.*)\nChannel.*\n)?" + counts, out)
    return {file or key: tuple(map(int, values)) for key, file, *values in found}


def ours(report):
    return {
        u.id: (u.counts.correct, u.counts.substitutions, u.counts.deletions, u.counts.insertions)
        for u in report.utterances
    }


def export(folder, report):
    write_transcripts(folder / "ref.trn", scored_references(report))
    write_transcripts(folder / "hyp.trn", scored_hypotheses(report))
    return folder, "ref.trn", "hyp.trn"


@pytest.mark.parametrize("symbols", [2, 4, 12])
def test_the_same_counts_for_every_utterance(tmp_path, symbols):
    """Few symbols make many ties, which decide how errors split."""
    rng = random.Random(symbols)
    labels = ["aa", "b", "h#", "ax-h", "t", "n*", "{", "%", "ü", "<x>", "d;", "(g)"][:symbols]
    draw = {f"s{n % 5}-{n:03d}": rng.choices(labels, k=rng.randrange(15)) for n in range(200)}
    read = {key: rng.choices(labels, k=rng.randrange(15)) for key in draw}
    report = score(draw, read, "plain", costs="sclite", resamples=10)
    assert sclite(*export(tmp_path, report), "-e", "utf-8") == ours(report)


def test_the_same_counts_with_optional_silence(tmp_path):
    rng = random.Random(1)
    phones = ["h#", "iy", "t"]
    draw = {f"s{n % 5}-{n:03d}": rng.choices(phones, k=rng.randrange(12)) for n in range(200)}
    read = {key: rng.choices(phones, k=rng.randrange(12)) for key in draw}
    report = score(draw, read, "kaldi-optional-sil", resamples=10)
    folder, reference, hypothesis = export(tmp_path, report)
    text = (tmp_path / reference).read_text()
    (tmp_path / reference).write_text(re.sub(r"\bsil\b", "(sil)", text))
    assert sclite(folder, reference, hypothesis, "-D") == ours(report)


def test_the_same_counts_for_text(tmp_path):
    report = score(
        {"s-1": "The cat (sat) @ 9", "s-2": "A { b / c } d;", "s-3": "ends *"},
        {"s-1": "the cat sat @ 9", "s-2": "A { b c } d", "s-3": "ends"},
        "cer",
        costs="sclite",
    )
    assert sclite(*export(tmp_path, report)) == ours(report)
    words = report.also[0]
    assert sclite(*export(tmp_path, words)) == ours(words)


def test_the_same_counts_from_times(tmp_path):
    rng = random.Random(2)
    spoken, read = [], []
    for n in range(30):
        labels = tuple(rng.choices("abc", k=rng.randrange(1, 9)))
        spoken.append(Transcript(f"u{n:02d}", labels, speaker=f"s{n % 3}", duration=3.0))
        heard = tuple(rng.choices("abc", k=rng.randrange(1, 9)))
        spans = tuple((label, 0.3 * k, 0.3 * k + 0.2, 0.9) for k, label in enumerate(heard))
        read.append(Transcript(f"u{n:02d}", heard, spans=spans))
    references, hypotheses = Transcripts.gather("ref", spoken), Transcripts.gather("hyp", read)
    write_transcripts(tmp_path / "ref.stm", references)
    write_transcripts(tmp_path / "hyp.ctm", hypotheses)
    counts = ours(score(references, hypotheses, "plain", costs="sclite", resamples=10))
    assert sclite(tmp_path, "ref.stm", "hyp.ctm") == counts
    again = score(
        read_transcripts(tmp_path / "ref.stm"),
        read_transcripts(tmp_path / "hyp.ctm"),
        "plain",
        costs="sclite",
        resamples=10,
    )
    assert ours(again) == counts


def test_the_same_matched_pairs_test_as_sc_stats(tmp_path):
    statistics = Path(SCLITE).with_name("sc_stats")
    if not statistics.is_file():
        pytest.skip(f"{statistics} is absent")
    rng = random.Random(3)
    draw = {f"s{n % 5}-{n:03d}": rng.choices("abcdefgh", k=rng.randrange(6, 25)) for n in range(90)}
    reports = []
    for name, error in (("one", 0.2), ("two", 0.3)):
        read = {
            key: [rng.choice("abcdefgh") if rng.random() < error else x for x in labels][
                rng.random() < 0.3 :
            ]
            for key, labels in draw.items()
        }
        reports.append(score(draw, read, "plain", costs="sclite", name=name, resamples=10))
        export(tmp_path, reports[-1])
        command = [SCLITE, "-i", "spu_id", "-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", name]
        subprocess.run(
            [*command, "-o", "sgml", "-n", name], cwd=tmp_path, capture_output=True, check=True
        )
    # Read from files because the pipe of the Debian build breaks its own lines.
    alignments = "".join((tmp_path / f"{name}.sgml").read_text() for name in ("one", "two"))
    subprocess.run(
        [statistics, "-p", "-t", "mapsswe", "-v", "-n", "out"],
        cwd=tmp_path, input=alignments, capture_output=True, check=True, text=True,
    )  # fmt: skip
    text = (tmp_path / "out.stats.mapsswe").read_text()
    units, z = re.search(r"# segs: (\d+)\).*Z Stat: *(\S+)\)", text).groups()
    found = compare(*reports).tests[0]
    assert found.units == int(units)
    assert found.statistic == pytest.approx(float(z), abs=0.0006)
