"""Two small systems with evidence, and a browser that looks at their pages."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqlabel.report.evidence import Evidence
from seqlabel.report.html.page import write_html
from seqlabel.scoring import Report, Transcript, Transcripts, score

PHONES = ("aa", "b", "iy", "s", "sil", "t")
RATE = 16000


@dataclass(frozen=True)
class Systems:
    """Reports of two systems on the same references, and evidence of each for all utterances."""

    reports: tuple[Report, Report]
    evidence: tuple[dict[str, Evidence], dict[str, Evidence]]


def spoken(labels: tuple[str, ...], symbols: tuple[str, ...] = PHONES) -> Evidence:
    """A tone of half a second with one spike a label, 10 ms apart at least."""
    frames = 50
    probabilities = np.full((frames, len(symbols) + 1), 0.001)
    probabilities[:, 0] = 0.9
    segments = []
    for n, label in enumerate(labels):
        at = (2 * n + 1) * frames // (2 * len(labels))
        probabilities[at, 1 + symbols.index(label)] = 0.8
        probabilities[at, 0] = 0.1
        segments.append((label, n * 0.5 / len(labels), (n + 1) * 0.5 / len(labels)))
    sound = 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE)
    return Evidence.of_speech(
        probabilities, symbols, np.arange(frames) * 0.01, sound, RATE, segments
    )


def written(labels: tuple[str, ...], symbols: tuple[str, ...]) -> Evidence:
    """One slanted stroke a label, ten points long, with a spike on its fifth point."""
    strokes, spans = [], []
    probabilities = np.full((10 * len(labels), len(symbols) + 1), 0.001)
    for n, label in enumerate(labels):
        t = 10.0 * n + np.arange(10)
        strokes.append(np.stack([t + np.arange(10), 3.0 * np.arange(10), t], axis=1))
        spans.append((label, 10.0 * n + 4, 10.0 * n + 5))
        probabilities[10 * n + 4, 1 + symbols.index(label)] = 0.9
    return Evidence.of_ink(probabilities, symbols, np.arange(10.0 * len(labels)), strokes, spans)


def gathered(name: str, transcripts: Iterable[Transcript], **known: Any) -> Transcripts:
    """Transcripts by their ids."""
    return Transcripts(name=name, by_id={t.id: t for t in transcripts}, **known)


@pytest.fixture(scope="session")
def systems() -> Systems:
    """30 utterances of 3 to 8 phones; the second system errs half as often as the first."""
    rng = np.random.default_rng(5)
    references, first, second = {}, {}, {}
    for n in range(30):
        labels = tuple(rng.choice(PHONES, rng.integers(3, 9)).tolist())
        references[f"utt{n:02d}"] = labels
        for system, rate in ((first, 0.3), (second, 0.15)):
            read: list[str] = []
            for label in labels:
                chance = rng.random()
                if chance > rate / 3:
                    read.append(str(rng.choice(PHONES)) if chance < rate else label)
                if rng.random() < rate / 4:
                    read.append("s")
            system[f"utt{n:02d}"] = tuple(read) or ("s",)
    known = gathered(
        "reference",
        (
            Transcript(key, labels, "", f"spk{n % 4}", {"sex": "fm"[n % 2]}, 0.5)
            for n, (key, labels) in enumerate(references.items())
        ),
        unit="phone",
    )
    header = {"decoder": "greedy", "model": "exp/toy"}
    reports = [
        score(
            known,
            gathered(name, (Transcript(*pair) for pair in system.items()), header=header),
            "kaldi",
            name=name,
        )
        for name, system in (("first", first), ("second", second))
    ]
    evidence = tuple({key: spoken(read) for key, read in s.items()} for s in (first, second))
    return Systems((reports[0], reports[1]), (evidence[0], evidence[1]))


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log.csv of ten epochs."""
    path = tmp_path_factory.mktemp("run") / "log.csv"
    lines = ["epoch,minutes,updates,learning_rate,train_loss,dev_loss,dev_error_rate"]
    for epoch in range(1, 11):
        losses = f"{9 / epoch:.3f},{1 + 9 / epoch:.3f}"
        lines.append(f"{epoch},{epoch * 2},{epoch * 50},0.001,{losses},{0.2 + 0.6 / epoch:.4f}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture(scope="session")
def browser(start_browser) -> Iterator:
    """A headless Chromium; skips where there is none."""
    with start_browser() as page:
        yield page


ATTACKS = (
    "<script>hacked=1</script>",
    '"><img src=x onerror=hacked=1>',
    "</script><script>hacked=1</script>",
    "' onmouseover='hacked=1' x='",
    "<!--<script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:hacked=1",
    "]]></style><svg onload=hacked=1>",
    "\u2028</title>\u202e&lt;b&gt;",
)
"""Names that would run or break a page that did not escape them."""


@pytest.fixture(scope="session")
def attacks() -> tuple[str, ...]:
    """ATTACKS, for the tests."""
    return ATTACKS


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on which ids, labels, speakers, tags, names, headers and skipped ids are ATTACKS."""
    labels = tuple(attack.replace(" ", "") for attack in ATTACKS)
    ids = [f"{attack} {n}" for n, attack in enumerate(ATTACKS)]
    known = gathered(
        ATTACKS[0],
        (
            Transcript(key, labels, attack, attack, {attack: attack, "sex": attack}, 1.0)
            for key, attack in zip(ids, ATTACKS, strict=True)
        ),
        unit="symbol",
    )
    reports = []
    for turn, name in ((1, ATTACKS[2]), (2, ATTACKS[1])):
        header = {"decoder": ATTACKS[3], "model": ATTACKS[7]}
        read = (Transcript(key, labels[turn:] + labels[:turn]) for key in ids[:-1])
        found = gathered(name, read, header=header)
        report = score(known, found, "plain", name=name, allow_missing=True)
        reports.append(replace(report, skipped=dict(zip(ids, ATTACKS, strict=True))))
    evidence = {key: spoken(labels, labels) for key in ids[:4]}
    evidence |= {key: written(labels, labels) for key in ids[4:]}
    folder = tmp_path_factory.mktemp("hostile")
    log = folder / "log.csv"
    log.write_text('epoch,"<script>hacked=1</script>",dev_loss\n1,<b>,2\n2,3,1\n', "utf-8")
    page = folder / "report.html"
    write_html(reports, page, [evidence, evidence], [log, log], title=ATTACKS[8])
    return page
