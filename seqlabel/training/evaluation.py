"""Dev loss and dev error rate of a model, greedy, each process on its share of the utterances."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor

from seqlabel.alphabet import Alphabet
from seqlabel.data import Batch, BatchOptions, Dataset, make_batches
from seqlabel.models.framewise import UNLABELLED, Framewise
from seqlabel.models.model import Model
from seqlabel.models.regression import Regression
from seqlabel.models.targets import RowError
from seqlabel.scoring.protocols import Protocol
from seqlabel.scoring.transcripts.transcript import Transcript
from seqlabel.training.distribution import Workers


@dataclass(frozen=True)
class DevScore:
    """loss: mean over the utterances with a finite loss, in nats.

    error_rate: errors per label; of values the root mean squared error, normalised as the
    training targets. labels_per_frame: recognised labels per frame, 0 if the model outputs blanks
    only, None if there are no labels.
    frame_error_rate: wrong frames per labelled frame, framewise criterion only.
    examples: (id, reference, hypothesis) of a few utterances, the same every time.
    """

    loss: float
    error_rate: float
    labels_per_frame: float | None
    frame_error_rate: float | None = None
    examples: tuple[tuple[str, str, str], ...] = ()


def evaluate(
    model: Model,
    dataset: Dataset,
    options: BatchOptions,
    protocol: Protocol,
    workers: Workers,
    examples: int = 3,
) -> DevScore:
    """Score `model` on a whole dataset without distortion."""
    was_training = model.training
    model.eval()
    alphabet = dataset.alphabet
    framewise = isinstance(model.criterion, Framewise)
    regression = isinstance(model.criterion, Regression)
    squares, values = 0.0, 0
    loss, finite, errors, tokens, emitted, frames = 0.0, 0, 0, 0, 0, 0
    wrong, labelled = 0, 0
    shown: dict[str, tuple[str, str, str]] = {}
    batches = make_batches(dataset.lengths, options, None)[workers.rank :: workers.world]
    with torch.inference_mode():
        for chosen in batches:
            batch = dataset.batch(chosen).to(workers.device)
            encoded, lengths = model.encoder(batch.x, batch.lengths, batch.elapsed, batch.heights)
            spelled = [row for row, n in enumerate(chosen) if dataset.spelled(n)]
            if framewise:
                assert batch.frame_labels is not None
                segmented = (batch.frame_labels != UNLABELLED).any(dim=1).tolist()
                spelled = [row for row in spelled if segmented[row]]
            for value in _losses(model, encoded, lengths, batch, spelled):
                if math.isfinite(value):
                    loss, finite = loss + value, finite + 1
            if regression:
                found_squares, found_values = model.criterion.squared_errors(
                    encoded, lengths, batch
                )
                squares, values = squares + found_squares, values + found_values
                continue
            hypotheses = model.criterion.best_labels(encoded, lengths)
            frames += int(lengths.sum())
            if framewise and any(segmented):
                counts = model.criterion.frame_errors(encoded, lengths, batch)
                wrong, labelled = wrong + counts[0], labelled + counts[1]
            for n, hypothesis in zip(chosen, hypotheses, strict=True):
                utterance = dataset.utterance(n)
                read = alphabet.decode(hypothesis)
                known = protocol
                if not dataset.spelled(n):
                    known = protocol.keeping(k for k in utterance.labels if k not in alphabet)
                expected = scored_labels(alphabet, known, utterance.id, utterance.labels)
                found = scored_labels(alphabet, protocol, utterance.id, read)
                errors += Levenshtein.distance(expected, found)
                tokens += len(expected)
                emitted += len(hypothesis)
                if n < examples:
                    texts = alphabet.text(utterance.labels), alphabet.text(read)
                    shown[utterance.id] = (utterance.id, *texts)
    model.train(was_training)
    if regression:
        loss, finite_total, squares, values_total = workers.sum([loss, finite, squares, values])
        rate = math.sqrt(squares / values_total) if values_total else math.inf
        return DevScore(loss / finite_total if finite_total else math.inf, rate, None)
    totals = workers.sum([loss, finite, errors, tokens, emitted, frames, wrong, labelled])
    loss, finite_total, errors_total, tokens_total, emitted_total, frames_total, *framed = totals
    return DevScore(
        loss / finite_total if finite_total else math.inf,
        errors_total / max(1.0, tokens_total),
        emitted_total / max(1.0, frames_total),
        framed[0] / max(1.0, framed[1]) if framewise else None,
        tuple(shown[key] for key in sorted(shown)),
    )


def scored_labels(
    alphabet: Alphabet, protocol: Protocol, id: str, labels: Sequence[str]
) -> Sequence[str]:
    """The labels of utterance `id` as they are compared: folded, of characters where joined."""
    characters = alphabet.joined or alphabet.unit == "subword"
    return protocol(Transcript(id, alphabet.scored(labels)), characters)


def _losses(
    model: Model, encoded: Tensor, lengths: Tensor, batch: Batch, rows: Sequence[int]
) -> list[float]:
    """The losses of those of `rows` that have one, which need enough frames for their labels."""
    if not rows:
        return []
    if len(rows) < len(batch.ids):
        batch, encoded, lengths = batch.select(rows), encoded[rows], lengths[rows]
    try:
        losses: list[float] = model.criterion.losses(encoded, lengths, batch).tolist()
    except RowError as error:
        others = [row for row in range(len(batch.ids)) if row not in error.rows]
        return _losses(model, encoded, lengths, batch, others)
    return losses
