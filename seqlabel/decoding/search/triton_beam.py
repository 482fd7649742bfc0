"""Prefix beam search over labels on a GPU, in Triton: one program per utterance, no language model.

Computes the sums of `label_kernel`. Each frame, every prefix in the beam is extended by every
label. A bisection over the bits of the masses finds the W-th largest mass, and the prefixes that
reach it form the next beam. A prefix is identified by a 64-bit hash of its labels, which also
serves to find its parent; two prefixes of one beam have the same hash with a probability below
1e-14.

Ties at the W-th place: prefixes already in the beam come first, then new ones in the order of their
parents' slots, then of their labels. The search on the CPU takes the most probable label first, so
the two may keep different prefixes where masses are equal.

This module imports torch and triton, which some builds of torch lack. Import it only where needed.
"""

from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from seqlabel.alphabet import BLANK
from seqlabel.decoding.checks import SUM_TOLERANCE
from seqlabel.decoding.search.hypothesis import Hypothesis

_BLOCK = 1024
"""Number of masses processed at once."""


def interpreted() -> bool:
    """Whether Triton interprets kernels in Python, on CPU tensors (TRITON_INTERPRET=1)."""
    return not isinstance(beam_search, triton.JITFunction)


def why_not() -> str | None:
    """The reason why the search cannot run on this machine, or None."""
    if not interpreted() and not torch.cuda.is_available():
        return "torch finds no GPU"
    return None


def on_device(log_probs: Any, copy: np.ndarray) -> Tensor:
    """Log-probabilities on the device of the search.

    A tensor that is there already is used as it is; otherwise `copy`, on the CPU, is moved.
    """
    if interpreted():
        return torch.from_numpy(copy)
    if isinstance(log_probs, Tensor) and log_probs.is_cuda:
        return log_probs.detach()
    return torch.from_numpy(copy).to("cuda")


def probabilities(
    log_probs: Tensor, lengths: np.ndarray, least: float, count: int | None
) -> tuple[Tensor, list[int]]:
    """Probabilities (B, T, K), float64, and the utterances with frames that do not sum to one.

    least, count: labels less probable than `least`, or not among the `count` most probable labels
    of a frame, are set to zero. The blank is always kept.
    """
    probs = log_probs.double().exp()
    inside = torch.arange(probs.shape[1]) < torch.from_numpy(lengths)[:, None]
    wrong = ~((probs.sum(dim=2) - 1.0).abs() <= SUM_TOLERANCE) & inside.to(probs.device)
    labels = probs[..., BLANK + 1 :]
    labels.masked_fill_(labels < least, 0.0)
    if count is not None and count < labels.shape[2]:
        labels.masked_fill_(labels < labels.topk(count, dim=2).values[..., -1:], 0.0)
    return probs, wrong.any(dim=1).nonzero()[:, 0].tolist()


def search_each(
    probs: Tensor, lengths: np.ndarray, beam: int, count: int
) -> list[list[Hypothesis]]:
    """The `count` best labellings of each utterance, best first; equal ones in slot order.

    probs: (B, T, K) float64, probabilities, zero for labels that are left out; lengths: (B,).
    """
    B, T, K = probs.shape
    device = probs.device
    W = triton.next_power_of_2(beam)
    masses = torch.zeros(B, 4, W, dtype=torch.float64, device=device)
    names = torch.zeros(B, 4, W, dtype=torch.int64, device=device)
    last = torch.zeros(B, 2, W, dtype=torch.int32, device=device)
    longer = torch.zeros(B, beam * K, dtype=torch.float64, device=device)
    before = torch.zeros(B, T, W, dtype=torch.int32, device=device)
    added = torch.zeros(B, T, W, dtype=torch.int32, device=device)
    scale = torch.zeros(B, dtype=torch.float64, device=device)
    beam_search[(B,)](
        probs.contiguous(), torch.from_numpy(lengths).to(device), masses, names, last, longer,
        before, added, scale, T, K, beam, W=W, BLOCK=_BLOCK, KB=triton.next_power_of_2(K),
    )  # fmt: skip
    totals = masses[:, 0] + masses[:, 1]
    totals, slots = totals.sort(dim=1, descending=True, stable=True)
    totals, slots = totals[:, :count], slots[:, :count]
    labels = _trace(before, added, slots, torch.from_numpy(lengths).to(device)).cpu().numpy()
    scores = (totals.log() + scale[:, None]).cpu().numpy()
    return [
        [
            Hypothesis(row[row > 0].astype(np.int32), float(score))
            for row, score in zip(labels[b], scores[b], strict=True)
            if score > -np.inf
        ]
        for b in range(B)
    ]


def _trace(before: Tensor, added: Tensor, slots: Tensor, lengths: Tensor) -> Tensor:
    """Labels (B, N, T) of the prefixes in slots (B, N), 0 where a frame added no label."""
    T = before.shape[1]
    taken = before.new_zeros(*slots.shape, T)
    for t in range(T - 1, -1, -1):
        inside = (t < lengths)[:, None]
        taken[:, :, t] = torch.where(inside, added[:, t].gather(1, slots), 0)
        slots = torch.where(inside, before[:, t].gather(1, slots).long(), slots)
    return taken


@triton.jit
def _bits(x):
    """Positive floats as integers with the same order."""
    return x.to(tl.int64, bitcast=True)


@triton.jit
def _name(parent, label):
    """The hash of a prefix from the hash of its parent and its last label."""
    x = (parent ^ (label.to(tl.int64) + 1)) * 6364136223846793005 + 1442695040888963407
    x = (x ^ ((x >> 29) & 0x7FFFFFFFF)) * 2862933555777941757
    return x ^ ((x >> 32) & 0xFFFFFFFF)


@triton.jit
def beam_search(
    probs, lengths, masses, names, last, longer, before, added, scale, T, K, beam,
    W: tl.constexpr, BLOCK: tl.constexpr, KB: tl.constexpr,
):  # fmt: skip
    """Fill the masses (blank, label) of the W slots after the last frame, and the backpointers.

    probs (B, T, K). masses (B, 4, W), names (B, 4, W) and last (B, 2, W): the first half holds the
    current slots, the second half those of the next frame. longer (B, beam K): masses of extended
    prefixes. before, added (B, T, W): the previous slot of each slot, the label added (0: none).
    scale (B,): logarithm of the factor removed from the masses.
    """
    b = tl.program_id(0).to(tl.int64)
    probs += b * T * K
    masses += b * 4 * W
    names += b * 4 * W
    last += b * 2 * W
    longer += b * beam * K
    before += b * T * W
    added += b * T * W
    w = tl.arange(0, W)
    length = tl.load(lengths + b)
    blank = tl.where(w == 0, 1.0, 0.0).to(tl.float64)
    label = tl.zeros((W,), tl.float64)
    name = tl.where(w == 0, 1, 0).to(tl.int64)  # 0: empty slot
    above = tl.zeros((W,), tl.int64)  # the name of the parent
    end = tl.zeros((W,), tl.int32)  # the last label; 0: the empty prefix
    total_scale = tl.zeros((1,), tl.float64)
    for t in range(length):
        tl.store(masses + w, blank)
        tl.store(masses + W + w, label)
        tl.store(names + w, name)
        tl.store(last + w, end)
        tl.debug_barrier()
        # the prefixes of the beam, one frame on
        parent = tl.full((W,), -1, tl.int32)
        for s in range(beam):
            parent = tl.where(above == tl.load(names + s), s, parent)
        known = parent >= 0
        passed = tl.load(masses + parent, mask=known, other=0.0)
        differs = known & (tl.load(last + parent, mask=known, other=0) != end)
        passed += tl.load(masses + W + parent, mask=differs, other=0.0)
        own = tl.load(probs + t * K + end)
        total = blank + label
        next_blank = total * tl.load(probs + t * K)
        next_label = tl.where(end > 0, (label + passed) * own, 0.0)
        stayed = next_blank + next_label
        # the extended prefixes, without those already in the beam
        k = tl.arange(0, KB)
        for s in range(beam):
            p = tl.load(probs + t * K + k, mask=(k > 0) & (k < K), other=0.0)
            extended = tl.load(masses + s) * p
            extended += tl.where(k == tl.load(last + s), 0.0, tl.load(masses + W + s) * p)
            tl.store(longer + s * K + k, extended, mask=k < K)
        tl.debug_barrier()
        tl.store(longer + parent * K + end, tl.zeros((W,), tl.float64), mask=known & (total > 0))
        tl.debug_barrier()
        # the W-th largest mass, bit by bit, and how many are larger
        least = tl.zeros((1,), tl.int64)
        for bit in range(63):
            trial = least | (tl.full((1,), 1, tl.int64) << (62 - bit))
            reached = tl.sum((_bits(stayed) >= trial).to(tl.int32), 0)
            for start in range(0, beam * K, BLOCK):
                i = start + tl.arange(0, BLOCK)
                mass = tl.load(longer + i, mask=i < beam * K, other=0.0)
                reached += tl.sum((_bits(mass) >= trial).to(tl.int32), 0)
            least = tl.where(reached >= beam, trial, least)
        larger = tl.sum((_bits(stayed) > least).to(tl.int32), 0)
        best = tl.max(stayed, 0)
        for start in range(0, beam * K, BLOCK):
            i = start + tl.arange(0, BLOCK)
            mass = tl.load(longer + i, mask=i < beam * K, other=0.0)
            larger += tl.sum((_bits(mass) > least).to(tl.int32), 0)
            best = tl.maximum(best, tl.max(mass, 0))
        best = tl.where(best > 0, best, 1.0)
        total_scale += tl.log(best)
        # the new slots
        tl.store(masses + 2 * W + w, tl.zeros((W,), tl.float64))
        tl.store(masses + 3 * W + w, tl.zeros((W,), tl.float64))
        tl.store(names + 2 * W + w, tl.zeros((W,), tl.int64))
        tl.store(names + 3 * W + w, tl.zeros((W,), tl.int64))
        tl.store(last + W + w, tl.zeros((W,), tl.int32))
        tl.debug_barrier()
        equal = (_bits(stayed) == least) & (stayed > 0)
        room = beam - larger
        kept = (_bits(stayed) > least) | (equal & (tl.cumsum(equal.to(tl.int32), 0) <= room))
        room -= tl.sum(equal.to(tl.int32), 0)
        place = tl.cumsum(kept.to(tl.int32), 0) - 1
        tl.store(masses + 2 * W + place, next_blank / best, mask=kept)
        tl.store(masses + 3 * W + place, next_label / best, mask=kept)
        tl.store(names + 2 * W + place, name, mask=kept)
        tl.store(names + 3 * W + place, above, mask=kept)
        tl.store(last + W + place, end, mask=kept)
        tl.store(before + t * W + place, w, mask=kept)
        tl.store(added + t * W + place, tl.zeros((W,), tl.int32), mask=kept)
        filled = tl.sum(kept.to(tl.int32), 0)
        for start in range(0, beam * K, BLOCK):
            i = start + tl.arange(0, BLOCK)
            mass = tl.load(longer + i, mask=i < beam * K, other=0.0)
            tied = (_bits(mass) == least) & (mass > 0)
            enters = (_bits(mass) > least) | (tied & (tl.cumsum(tied.to(tl.int32), 0) <= room))
            room -= tl.sum(tied.to(tl.int32), 0)
            slot = filled + tl.cumsum(enters.to(tl.int32), 0) - 1
            origin, new = i // K, i % K
            parents = tl.load(names + origin, mask=enters, other=0)
            tl.store(masses + 3 * W + slot, mass / best, mask=enters)
            tl.store(names + 2 * W + slot, _name(parents, new), mask=enters)
            tl.store(names + 3 * W + slot, parents, mask=enters)
            tl.store(last + W + slot, new, mask=enters)
            tl.store(before + t * W + slot, origin, mask=enters)
            tl.store(added + t * W + slot, new, mask=enters)
            filled += tl.sum(enters.to(tl.int32), 0)
        tl.debug_barrier()
        blank = tl.load(masses + 2 * W + w)
        label = tl.load(masses + 3 * W + w)
        name = tl.load(names + 2 * W + w)
        above = tl.load(names + 3 * W + w)
        end = tl.load(last + W + w)
        tl.debug_barrier()
    tl.store(masses + w, blank)
    tl.store(masses + W + w, label)
    tl.store(scale + b + tl.arange(0, 1), total_scale)
