"""CTC training in plain PyTorch, what `bench_train.py` compares seqlabel with.

nn.LSTM on packed or on padded sequences, F.ctc_loss on log-probabilities, random batches of equal
size, features held in memory. Dev error rate by greedy decoding and rapidfuzz. `Network` and
`Training` use nothing of seqlabel; `twin` makes them from one of its runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from seqlabel.data import Dataset, make_batches
from seqlabel.models.network import ModelOptions
from seqlabel.training.experiment import Experiment
from seqlabel.training.options import AugmentationOptions, Phase, TrainingOptions
from seqlabel.training.phase_record import Run, rng_of

Example = tuple[Tensor, Tensor]
"""Frames (T, F) and labels (S,)."""


@dataclass(frozen=True)
class Options:
    """The recipe; `batch` utterances per update, `warmup` updates of a rising rate."""

    batch: int
    optimiser: str = "adam"
    rate: float = 1e-3
    weight_decay: float = 0.0
    momentum: float = 0.9
    clip_norm: float = 1.0
    warmup: int = 0
    seed: int = 1


class Network(nn.Module):
    """Frames (B, T, F) and lengths (B,) to log-probabilities (B, T, K).

    packed: without it the padding goes through nn.LSTM like frames, and the direction that runs
    backwards reads it first: faster on a CPU, and wrong for all but the longest sequence.
    """

    def __init__(
        self,
        inputs: int,
        labels: int,
        hidden: int,
        layers: int,
        bidirectional: bool = True,
        dropout: float = 0.0,
        packed: bool = True,
    ) -> None:
        super().__init__()
        self.packed = packed
        self.lstm = nn.LSTM(
            inputs,
            hidden,
            layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden * (1 + bidirectional), labels)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.packed:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        else:
            y, _ = self.lstm(x)
        return self.output(self.dropout(y)).log_softmax(dim=2)


def collate(examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x (B, T, F), lengths (B,), targets (B, S), target lengths (B,)."""
    frames, labels = [x for x, _ in examples], [y for _, y in examples]
    x = pad_sequence(frames, batch_first=True)
    targets = pad_sequence(labels, batch_first=True)
    return x, torch.tensor([*map(len, frames)]), targets, torch.tensor([*map(len, labels)])


class Training:
    """A network, its data and its optimiser; epoch by epoch."""

    def __init__(
        self, network: Network, train: list[Example], dev: list[Example], options: Options
    ) -> None:
        self.network, self.options = network, options
        order = torch.Generator().manual_seed(options.seed)
        data: Any = train, dev  # lists will do, whatever DataLoader's annotation says
        self.train: DataLoader = DataLoader(
            data[0], options.batch, shuffle=True, collate_fn=collate, generator=order
        )
        self.dev: DataLoader = DataLoader(data[1], options.batch, collate_fn=collate)
        weights, decay = network.parameters(), options.weight_decay
        self.optimiser: torch.optim.Optimizer
        if options.optimiser == "sgd":
            self.optimiser = torch.optim.SGD(weights, options.rate, options.momentum, 0.0, decay)
        else:
            kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
            self.optimiser = kinds[options.optimiser](weights, options.rate, weight_decay=decay)
        warmup = max(1, options.warmup)
        self.schedule = LambdaLR(self.optimiser, lambda n: min(1.0, (n + 1) / warmup))

    def epoch(self) -> float:
        """Train on all utterances once; the dev error rate after it."""
        self.network.train()
        for x, lengths, targets, target_lengths in self.train:
            self.optimiser.zero_grad()
            log_probs = self.network(x, lengths).transpose(0, 1)
            loss = F.ctc_loss(log_probs, targets, lengths, target_lengths, reduction="sum")
            (loss / len(x)).backward()
            if self.options.clip_norm:
                nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
            self.optimiser.step()
            self.schedule.step()
        return self.error_rate()

    @torch.inference_mode()
    def error_rate(self) -> float:
        """Errors per label on dev: the best label of each frame, repeats merged, blanks dropped."""
        self.network.eval()
        errors = total = 0
        for x, lengths, targets, target_lengths in self.dev:
            paths = self.network(x, lengths).argmax(dim=2)
            for path, length, target, count in zip(
                paths, lengths, targets, target_lengths, strict=True
            ):
                found = torch.unique_consecutive(path[:length])
                errors += Levenshtein.distance(found[found != 0].tolist(), target[:count].tolist())
            total += int(target_lengths.sum())
        return errors / max(1, total)


def comparable(experiment: Experiment) -> Experiment:
    """The configuration without what plain PyTorch does not have."""

    def some(options: Any, names: str) -> dict[str, Any]:
        return {name: getattr(options, name) for name in names.split()}

    shape = "hidden layers bidirectional dropout init initial_range forget_bias"
    update = "epochs optimiser learning_rate warmup momentum weight_decay clip_norm"
    return replace(
        experiment,
        model=ModelOptions(cell="lstm", **some(experiment.model, shape)),
        criterion={"kind": "ctc"},
        augmentation=AugmentationOptions(),
        training=TrainingOptions(threads=experiment.training.threads),
        phases=(Phase(patience=0, **some(experiment.phases[0], update)),),
    )


def twin(run: Run, packed: bool) -> Training:
    """The training of a `comparable` run of seqlabel, from the same weights."""
    model, phase, shape = run.model, run.experiment.phases[0], run.experiment.model
    size = (run.train.front_end.dim, len(run.train.alphabet), shape.hidden, shape.layers)
    network = Network(*size, shape.bidirectional, shape.dropout, packed)
    network.lstm.load_state_dict(model.encoder.lower.torch_state_dict())
    network.output.load_state_dict(model.criterion.output.state_dict())
    with torch.no_grad():  # of one utterance, which has no padding
        batch = run.dev.batch([0])
        ours, _ = model.eval().outputs(batch.x, batch.lengths)
        difference = float((ours - network.eval()(batch.x, batch.lengths)).abs().max())
    if not difference < 1e-3:
        raise SystemExit(f"the networks differ by {difference:g} before training")
    updates = len(make_batches(run.train.lengths, run.experiment.batches, rng_of((1,))))
    options = Options(
        max(1, round(len(run.train) / updates)),
        phase.optimiser,
        phase.learning_rate,
        phase.weight_decay,
        phase.momentum,
        phase.clip_norm,
        phase.warmup,
        run.experiment.seed,
    )
    return Training(network, examples(run.train), examples(run.dev), options)


def examples(dataset: Dataset) -> list[Example]:
    """Frames and labels of all utterances."""
    pairs = ((dataset.frames(n).x, target) for n, target in enumerate(dataset.targets))
    return [(torch.tensor(x), torch.tensor(target)) for x, target in pairs]
