"""Latency-controlled bidirectional layers: chunks of a sequence, each with a bounded look-ahead.

Zhang, Chen, Yu, Yao, Khudanpur & Glass 2016, "Highway long short-term memory RNNs for distant
speech recognition", section 3. A sequence is cut into chunks of C frames. Chunk k is computed in a
window: its own frames kC ... (k+1)C - 1 and the next R frames, the look-ahead, or fewer at the end
of the sequence. In a window every layer runs

    forwards    over chunk and look-ahead, from the state after the last frame of the previous chunk
    backwards   over look-ahead and chunk, from a zero state at the end of the look-ahead

and passes both parts of its outputs to the next layer; of the last layer the chunk's outputs are
used. The outputs of look-ahead frames do not depend on frames after the window; they are discarded
and computed again as frames of the next chunk. Only the state after the chunk's own frames is
carried over.

Hence an output depends on at most the R frames after its chunk, for any number of layers. Output t
waits for frame min(T, (t // C + 1) C + R) - 1: at least R frames, at most C + R - 1. Where one
chunk covers the sequence the layers are plain bidirectional ones.

The windows of all sequences are rows of one batch (`Rows`), so that a layer takes few and wide time
steps. The frames of a batch are its packed rows, and behind them the look-ahead of every window
("ahead"), packed likewise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqlabel.errors import InputError
from seqlabel.lstm.cell import AnyCell
from seqlabel.lstm.elapsed import Fades
from seqlabel.lstm.options import Recurrence
from seqlabel.lstm.rows import Rows
from seqlabel.lstm.weights import Weights

State = tuple[Tensor, ...]


def check_options(chunk: int, lookahead: int, bidirectional: bool) -> None:
    """Raises InputError for invalid chunks and look-ahead, in frames."""
    if chunk < 0 or lookahead < 0:
        raise InputError(f"chunk={chunk} and lookahead={lookahead} must not be negative")
    if lookahead and not chunk:
        raise InputError(f"lookahead={lookahead} needs chunk: set it to a number of frames")
    if chunk and not bidirectional:
        raise InputError(f"chunk={chunk} is for bidirectional layers: leave it out")


@dataclass(frozen=True, eq=False)
class Chunks:
    """Where the windows of a batch lie in its rows.

    Places count the sequences of the batch from the longest, windows by place, then by chunk.
    """

    rows: Rows  # the batch itself
    chunk: list[Rows]  # chunk k of all sequences that reach it
    ahead: Rows | None  # the look-ahead of the windows that have one; None if none has
    ahead_row: Tensor  # (ahead rows,) the row of the batch with the same frame
    ahead_place: Tensor  # (look-aheads,) place of its sequence, in the order of `ahead`
    ahead_state: Tensor  # (look-aheads,) where its initial state is among those after chunks
    window: Rows  # whole windows, their time running backwards
    window_place: Tensor  # (windows,) place of its sequence, in the order of `window`
    window_row: Tensor  # (window rows,) the row of the batch or, behind these, the ahead row
    row_window: Tensor  # (rows + ahead rows,) the inverse

    @classmethod
    def of(cls, rows: Rows, size: int, lookahead: int) -> "Chunks":
        """Windows of `size` frames and `lookahead` more."""
        device = rows.index.device

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).to(device)

        lengths, total = rows.lengths, int(rows.active.sum())
        counts = -(-lengths // size)
        place = np.repeat(np.arange(len(lengths)), counts)
        start = size * (np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts))
        own = np.minimum(size, lengths[place] - start)
        further = np.minimum(lookahead, lengths[place] - start - own)

        chunk = [
            Rows.of(np.minimum(size, lengths[lengths > first] - first).tolist(), size, device)
            for first in range(0, int(lengths.max()), size)
        ]
        seen = np.flatnonzero(further)
        ahead, ahead_row, ahead_start = None, np.zeros(0, np.int64), np.zeros(0, np.int64)
        if len(seen):
            ahead = Rows.of(further[seen].tolist(), lookahead, device)
            seen = seen[ahead.order.cpu().numpy()]
            time, sequence = _cells(ahead)
            ahead_row = _row(rows, start[seen][sequence] + size + time, place[seen][sequence])
            ahead_start = start[seen] // size
        reached = np.array([part.batch for part in chunk])

        window = Rows.of((own + further).tolist(), size + lookahead, device)
        order = window.order.cpu().numpy()
        time, column = _cells(window)
        of = order[column]
        time = own[of] + further[of] - 1 - time
        inside = time < own[of]
        row = np.empty(len(time), np.int64)
        row[inside] = _row(rows, start[of[inside]] + time[inside], place[of[inside]])
        if ahead is not None:
            number = np.empty(len(place), np.int64)
            number[seen] = np.arange(len(seen))
            beyond = of[~inside]
            row[~inside] = total + _row(ahead, time[~inside] - own[beyond], number[beyond])
        inverse = np.empty_like(row)
        inverse[row] = np.arange(len(row))
        return cls(
            rows=rows,
            chunk=chunk,
            ahead=ahead,
            ahead_row=tensor(ahead_row),
            ahead_place=tensor(place[seen]),
            ahead_state=tensor((np.cumsum(reached) - reached)[ahead_start] + place[seen]),
            window=window,
            window_place=tensor(place[order]),
            window_row=tensor(row),
            row_window=tensor(inverse),
        )

    @property
    def batch(self) -> int:
        """B."""
        return self.rows.batch

    def sequence(self) -> Tensor:
        """(rows + ahead rows,) the place of the sequence each row belongs to."""
        own = self.rows.sequence()
        if self.ahead is None:
            return own
        return torch.cat([own, self.ahead_place[self.ahead.sequence()]])

    def extend(self, x: Tensor) -> Tensor:
        """The rows of a batch (rows, F) -> (rows + ahead rows, F)."""
        return x if self.ahead is None else torch.cat([x, x.index_select(0, self.ahead_row)])


def _cells(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Frame and place of every packed row."""
    time = np.repeat(np.arange(len(rows.active)), rows.active)
    return time, np.arange(len(time)) - rows.offset[time]


def _row(rows: Rows, time: np.ndarray, place: np.ndarray) -> np.ndarray:
    return rows.offset[time] + place


def run_layer(
    run: Callable[..., Any],
    cell: AnyCell,
    weights: Sequence[Weights],
    frames: Tensor,
    chunks: Chunks,
    states: Sequence[State],
    masks: Sequence[Tensor | None],
    how: Recurrence,
    fades: Fades,
    first: bool,
    last: bool,
) -> tuple[Tensor, list[State]]:
    """One layer: frames (rows + ahead rows, F) -> y of as many rows and 2 * output columns.

    run: a function with the signature of `reference.run_layer`; it gets one direction at a time, in
    which time runs forwards. first: the look-ahead holds the same frames as the chunks after it, so
    the forward direction need not compute it. last: y is wanted without the look-ahead.
    The final state of the backward direction, which ends in every window, is zero.
    """
    rows = chunks.rows
    total = len(rows.index)

    def one(
        w: Weights, x: Tensor, where: Rows, state: State, mask: Tensor | None, fade: Tensor | None
    ) -> tuple[Tensor, State]:
        y, (final,) = run(cell, [w], x, where, [state], [mask], how, [fade])
        return y, final

    forward, state, passed = weights[0], states[0], fades[0]
    wanted = not (last or chunks.ahead is None)
    if first or not wanted:
        y, state = one(forward, frames[:total], rows, state, masks[0], passed)
        if wanted:
            y = chunks.extend(y)
    else:
        y, state, after = _chunk_by_chunk(
            one, forward, frames[:total], chunks, state, masks[0], passed
        )
        start = tuple(s.index_select(0, chunks.ahead_state) for s in after)
        mask = None if masks[0] is None else masks[0][chunks.ahead_place]
        assert chunks.ahead is not None
        passed = None if passed is None else passed.index_select(0, chunks.ahead_row)
        beyond, _ = one(forward, frames[total:], chunks.ahead, start, mask, passed)
        y = torch.cat([y, beyond])

    zeros = tuple(s.new_zeros(chunks.window.batch, s.shape[1]) for s in states[1])
    mask = None if masks[1] is None else masks[1][chunks.window_place]
    back = frames.index_select(0, chunks.window_row)
    passed = fades[1]
    if passed is not None:
        passed = chunks.extend(passed).index_select(0, chunks.window_row)
        passed[: chunks.window.batch] = 0.0  # nothing lies behind a window
    back, _ = one(weights[1], back, chunks.window, zeros, mask, passed)
    back = back.index_select(0, chunks.row_window[: len(y)])
    return torch.cat([y, back], dim=1), [state, tuple(torch.zeros_like(s) for s in states[1])]


def _chunk_by_chunk(
    one: Callable[..., Any],
    w: Weights,
    x: Tensor,
    chunks: Chunks,
    state: State,
    mask: Tensor | None,
    fade: Tensor | None,
) -> tuple[Tensor, State, State]:
    """The forward direction over the chunks -> y, the final states, the states after all chunks.

    The last are those after chunk 0 of all sequences, then those after chunk 1 of all that reach
    it, and so on.
    """
    outputs: list[Tensor] = []
    after: list[State] = []
    carried, low = state, 0
    for part in chunks.chunk:
        n, high = part.batch, low + len(part.index)
        begin = tuple(s[:n] for s in carried)
        own = None if mask is None else mask[:n], None if fade is None else fade[low:high]
        y, carried = one(w, x[low:high], part, begin, *own)
        state = tuple(torch.cat([new, s[n:]]) for new, s in zip(carried, state, strict=True))
        outputs.append(y)
        after.append(carried)
        low = high
    return torch.cat(outputs), state, tuple(map(torch.cat, zip(*after, strict=True)))
