"""Secondary structure of proteins: helix, strand or coil for every residue.

    python protein.py make OUT [--file PROTEINS.txt] [--seed N]
    python protein.py judge DATA HYP

The synthetic grammar: segments of helix (H), strand (E) and coil (C) with random lengths. Residues
are drawn from overlapping preferences; a helix has a hydrophobic residue every 3.6 residues, a
strand every second one. FILE has three lines per protein: >name, residues, structure (in the 8
states H G I E B T S - or in 3).
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from common import (
    Results,
    Rows,
    frame_labels,
    read_hypotheses,
    read_sets,
    run,
    segments,
    sets_of,
)

from seqlabel.errors import InputError
from seqlabel.files import read_text

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
STATES = "HEC"
WINDOW = 8
"""Residues on either side that the information-theoretic baseline uses."""

PREFERRED = {"H": "AELMQKRH", "E": "VIYFWTCQ", "C": "GPNDSKTH"}
HYDROPHOBIC = "AVILMFWCY"
LENGTHS = {"H": (6, 18), "E": (4, 9), "C": (2, 10)}
THREE = {"H": "H", "G": "H", "I": "H", "E": "E", "B": "E"}


def protein(rng: np.random.Generator) -> tuple[str, str]:
    """Residues and their structure."""
    letters: list[str] = []
    states: list[str] = []
    state = "C"
    wanted = int(rng.integers(60, 180))
    while len(states) < wanted:
        length = int(rng.integers(*LENGTHS[state]))
        phase = rng.uniform(0, 2 * np.pi)
        turn = 2 * np.pi / (3.6 if state == "H" else 2.0)
        for n in range(length):
            weights = np.array([1.6 if r in PREFERRED[state] else 1.0 for r in RESIDUES])
            if state != "C":
                side = 1.2 * np.cos(turn * n + phase)
                weights *= np.exp([side if r in HYDROPHOBIC else -side for r in RESIDUES])
            letters.append(str(rng.choice(list(RESIDUES), p=weights / weights.sum())))
        states += [state] * length
        state = str(rng.choice(["H", "E"])) if state == "C" else "C"
    return "".join(letters), "".join(states)


def read_proteins(path: Path) -> list[tuple[str, str]]:
    """Residues and structures in 3 states; InputError names a malformed entry."""
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    found = []
    for n in range(0, len(lines), 3):
        name, *rest = lines[n : n + 3]
        if not name.startswith(">") or len(rest) < 2 or len(rest[0]) != len(rest[1]):
            raise InputError(
                f"{path}: entry {n // 3 + 1} ({name[:30]}): >name, residues and as many states"
            )
        found.append((rest[0].upper(), "".join(THREE.get(s, "C") for s in rest[1].upper())))
    if not found:
        raise InputError(f"{path}: no proteins")
    return found


def make(out: Path, args: argparse.Namespace) -> Rows:
    """Rows with one-hot residues; other letters are all zero."""
    sets = sets_of(args, read_proteins, protein, 800, 100, 200)
    return {
        name: [
            {"source": np.array([[r == other for other in RESIDUES] for r in residues]),
             "labels": [label for label, _, _ in segments(list(states))],
             "segments": segments(list(states)), "tags": {"residues": residues}}
            for residues, states in proteins
        ]
        for name, proteins in sets.items()
    }  # fmt: skip


def information(train: list[tuple[str, np.ndarray]]) -> np.ndarray:
    """(3, 2 * WINDOW + 1, 21) scores of GOR (Garnier et al. 1978): ln p(residue at offset | state).

    At the offset 0 they also contain the prior of the state.
    """
    seen = np.ones((3, 2 * WINDOW + 1, 21))
    for residues, states in train:
        numbers = padded(residues)
        for t, state in enumerate(states):
            seen[STATES.index(state), np.arange(2 * WINDOW + 1), numbers[t : t + 17]] += 1
    prior = np.log(seen[:, WINDOW].sum(axis=1) / seen[:, WINDOW].sum())
    scores = np.log(seen / seen.sum(axis=2, keepdims=True))
    scores[:, WINDOW] += prior[:, None]
    return scores


def padded(residues: str) -> np.ndarray:
    """Indices of the residues, padded with WINDOW times 20 (no residue) on either side."""
    numbers = [RESIDUES.find(r) % 21 for r in residues]
    return np.array([20] * WINDOW + numbers + [20] * WINDOW)


def judge(data: Path, hyp: Path) -> Results:
    """Q3: share of residues with the right state."""
    sets = {
        name: [(u.tags["residues"], frame_labels(u.segments, len(u.tags["residues"])))
               for u in own]
        for name, own in read_sets(data).items()
    }  # fmt: skip
    ids = [u.id for u in read_sets(data)["test"]]
    by_residue = {r: Counter[str]() for r in RESIDUES}
    for residues, states in sets["train"]:
        for residue, state in zip(residues, states, strict=True):
            by_residue.setdefault(residue, Counter())[state] += 1
    usual = sum(by_residue.values(), Counter()).most_common(1)[0][0]
    best = {r: c.most_common(1)[0][0] if c else usual for r, c in by_residue.items()}
    scores = information(sets["train"])
    spans = read_hypotheses(hyp / "test" / "greedy.jsonl")
    right, total = Counter[str](), 0
    for name, (residues, states) in zip(ids, sets["test"], strict=True):
        numbers, offsets = padded(residues), np.arange(2 * WINDOW + 1)
        windows = [
            STATES[int(scores[:, offsets, numbers[t : t + 17]].sum(axis=1).argmax())]
            for t in range(len(residues))
        ]
        network = frame_labels(spans[name]["spans"], len(residues))
        right["BLSTM"] += int((network == states).sum())
        right["17 residues, independent"] += int((np.array(windows, object) == states).sum())
        right["most frequent state of each residue"] += sum(
            best.get(r, usual) == s for r, s in zip(residues, states, strict=True)
        )
        total += len(residues)
    return {name: {"Q3": right[name] / total} for name in right}


if __name__ == "__main__":
    run(make, judge, "proteins, three lines each")
