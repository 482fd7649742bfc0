"""Decoding of a transducer: greedy, and the beam search of Graves 2012 (section 2.5)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace, nlargest

import numpy as np
import torch
from torch import Tensor

from seqlabel.alphabet import BLANK, Alphabet
from seqlabel.decoding.results import Result, Span
from seqlabel.models.joint import Joint
from seqlabel.models.prediction import PredictionNetwork, State


@dataclass(frozen=True)
class Hypothesis:
    """A labelling found by a search.

    labels: indices 1..K-1.  frames: of each label, with its probability.
    log_prob: natural log, of the one path (greedy) or of all paths that the beam kept together.
    """

    labels: tuple[int, ...]
    frames: tuple[int, ...]
    probabilities: tuple[float, ...]
    log_prob: float

    def result(self, alphabet: Alphabet) -> Result:
        """With symbols; the span of a label is its single frame."""
        symbols = alphabet.decode(self.labels)
        steps = zip(symbols, self.frames, self.probabilities, strict=True)
        spans = tuple(Span(symbol, t, t + 1, p) for symbol, t, p in steps)
        return Result(symbols, self.log_prob, spans, text=alphabet.text(symbols))


Step = tuple[int, int, float]
"""A label, its frame, and its probability there."""


def _hypothesis(steps: list[Step], log_prob: float) -> Hypothesis:
    labels, frames, probabilities = zip(*steps, strict=True) if steps else ((), (), ())
    return Hypothesis(labels, frames, probabilities, log_prob)


@torch.no_grad()
def greedy(
    joint: Joint,
    prediction: PredictionNetwork,
    frames: Tensor,
    lengths: Tensor,
    most_per_frame: int = 5,
) -> list[Hypothesis]:
    """Take the best step at each node: a label stays at its frame, a blank goes on to the next.

    frames: (B, T, N) of the joint network.  lengths: (B,).  A frame with `most_per_frame`
    labels gets the blank, which limits the work for untrained networks.
    """
    B, T = frames.shape[:2]
    lengths = lengths.to(frames.device)
    predicted, state = prediction.step(torch.zeros(B, dtype=torch.int64, device=frames.device))
    labels = joint.labels(predicted)
    written: list[list[Step]] = [[] for _ in range(B)]
    log_probs = torch.zeros(B, device=frames.device)
    for t in range(T):
        rows = torch.nonzero(lengths > t)[:, 0]
        for count in range(most_per_frame + 1):
            scores = joint.logits(frames[rows, t], labels[rows]).log_softmax(dim=1)
            if count == most_per_frame:
                scores = scores[:, : BLANK + 1]
            value, step = scores.max(dim=1)
            log_probs[rows] += value
            more = step != BLANK
            rows, step, value = rows[more], step[more], value[more]
            if not len(rows):
                break
            for b, k, p in zip(rows.tolist(), step.tolist(), value.exp().tolist(), strict=True):
                written[b].append((k, t, p))
            predicted, after = prediction.step(step, tuple(s[rows] for s in state))
            labels[rows] = joint.labels(predicted)
            for old, new in zip(state, after, strict=True):
                old[rows] = new
    return [_hypothesis(*row) for row in zip(written, log_probs.tolist(), strict=True)]


class Prefix:
    """A node in the tree of labellings; its summand of the joint network is found when needed."""

    __slots__ = ("children", "depth", "k", "parent", "state", "summand", "written")

    def __init__(self, parent: "Prefix | None", k: int) -> None:
        self.parent, self.k = parent, k
        self.depth: int = parent.depth + 1 if parent else 0
        self.children: dict[int, Prefix] = {}
        self.summand: Tensor | None = None
        self.state: State | None = None
        self.written: Step = (k, 0, 1.0)

    def __lt__(self, other: "Prefix") -> bool:  # equally probable: the older one first
        return self.depth < other.depth

    def steps(self) -> list[Step]:
        """Labels from the first to this one, each where it was written last."""
        steps, prefix = [], self
        while prefix.parent:
            steps.append(prefix.written)
            prefix = prefix.parent
        return steps[::-1]


class BeamSearch:
    """Algorithm 1 of Graves 2012: paths that write the same labels are summed.

    beam: W, labellings kept from frame to frame.  normalise: rank the last ones by ln p / S, as
    the paper does, instead of ln p.  most_expanded: maximum labellings expanded per frame, as a
    multiple of the beam, which limits the work for untrained networks.
    """

    def __init__(
        self,
        joint: Joint,
        prediction: PredictionNetwork,
        beam: int = 10,
        normalise: bool = False,
        most_expanded: int = 10,
    ) -> None:
        self.joint, self.prediction = joint, prediction
        self.beam, self.normalise, self.most_expanded = beam, normalise, most_expanded * beam

    @torch.no_grad()
    def __call__(self, frames: Tensor, n_best: int = 1) -> list[Hypothesis]:
        """frames: (T, N) of one utterance -> at most `n_best` labellings, best first."""
        kept = {Prefix(None, BLANK): 0.0}
        for t, frame in enumerate(frames):
            kept = self._frame(kept, frame, t)

        def rank(item: tuple[Prefix, float]) -> float:
            return item[1] / max(1, item[0].depth) if self.normalise else item[1]

        best = nlargest(n_best, kept.items(), rank)
        return [_hypothesis(prefix.steps(), log_p) for prefix, log_p in best]

    def _frame(self, kept: dict[Prefix, float], frame: Tensor, t: int) -> dict[Prefix, float]:
        """The W best labellings with the blank of frame t behind them, and their ln p."""
        steps = self._steps(kept, frame)
        arrived = self._sum_prefixes(kept, steps)
        heap = [(-log_p, prefix) for prefix, log_p in arrived.items()]
        heap.sort()
        best: list[float] = []  # the W largest ln p in `done`, as a heap: the least is first
        done: dict[Prefix, float] = {}
        while heap and len(done) < self.most_expanded:
            log_p, prefix = -heap[0][0], heappop(heap)[1]
            if len(best) == self.beam and best[0] >= log_p:
                break
            if prefix not in steps:
                likely = [p for _, p in heap[: self.beam] if p not in steps]
                steps |= self._log_probs(frame, [prefix, *likely])
            done[prefix] = log_p + float(steps[prefix][BLANK])
            if len(best) < self.beam:
                heappush(best, done[prefix])
            elif done[prefix] > best[0]:
                heapreplace(best, done[prefix])
            least = best[0] if len(best) == self.beam else -math.inf
            scores = log_p + steps[prefix]
            for k in np.flatnonzero(scores > least).tolist():
                child = prefix.children.get(k)
                if k == BLANK or child in arrived:
                    continue  # what arrived has got its share from this prefix already
                if child is None:
                    child = prefix.children[k] = Prefix(prefix, k)
                child.written = (k, t, math.exp(steps[prefix][k]))
                heappush(heap, (-float(scores[k]), child))
        return dict(nlargest(self.beam, done.items(), lambda item: item[1]))

    def _steps(self, kept: Iterable[Prefix], frame: Tensor) -> dict[Prefix, np.ndarray]:
        """ln Pr(k | prefix, frame) for the prefixes and the shorter ones between them."""
        shallowest = min(prefix.depth for prefix in kept)
        wanted = dict.fromkeys(kept)
        for prefix in kept:
            while prefix.parent and prefix.parent.depth >= shallowest:
                prefix = prefix.parent
                wanted[prefix] = None
        ordered = sorted(wanted, key=lambda prefix: prefix.depth)
        return self._log_probs(frame, ordered)

    def _sum_prefixes(
        self, kept: dict[Prefix, float], steps: dict[Prefix, np.ndarray]
    ) -> dict[Prefix, float]:
        """Add to each labelling what shorter ones write to become it at this frame."""
        sums: dict[Prefix, float] = {}
        for prefix in steps:  # shorter ones first
            log_p = kept.get(prefix, -math.inf)
            if prefix.parent in sums:
                by_label = sums[prefix.parent] + float(steps[prefix.parent][prefix.k])
                log_p = float(np.logaddexp(log_p, by_label))
            sums[prefix] = log_p
        return {prefix: sums[prefix] for prefix in kept}

    def _log_probs(self, frame: Tensor, prefixes: list[Prefix]) -> dict[Prefix, np.ndarray]:
        """Prefix -> (K,) natural logs at a frame's summand (N,); all are computed together."""
        new = [prefix for prefix in prefixes if prefix.summand is None]
        if new:
            # A prefix is looked at after its parent, so the parent's state is there.
            parents = [prefix.parent.state for prefix in new if prefix.parent]
            state = tuple(torch.stack(part) for part in zip(*parents, strict=True))
            labels = torch.tensor([prefix.k for prefix in new], device=frame.device)
            predicted, state = self.prediction.step(labels, state or None)
            summands = self.joint.labels(predicted)
            for n, prefix in enumerate(new):
                prefix.summand, prefix.state = summands[n], tuple(part[n] for part in state)
        together = torch.stack([p.summand for p in prefixes if p.summand is not None])
        log_probs = self.joint.logits(frame, together).double().log_softmax(dim=1)
        return dict(zip(prefixes, log_probs.cpu().numpy(), strict=True))
