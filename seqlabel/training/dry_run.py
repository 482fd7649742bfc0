"""Description of a run without training: network, batches, and estimates of time and memory."""

import time
from pathlib import Path

import numpy as np

from seqlabel.data import make_batches
from seqlabel.data.batches import padding_share
from seqlabel.memory import peak_memory
from seqlabel.models.label_prior import LabelPrior
from seqlabel.pretrained import resolve
from seqlabel.training.averaging import Ema
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.initial import take_initial
from seqlabel.training.objectives import make_objective, make_terms
from seqlabel.training.options import Phase
from seqlabel.training.precision import set_precision
from seqlabel.training.run import configure_torch
from seqlabel.training.run_directory import WEIGHTS, load_weights, make_model
from seqlabel.training.setup import leave_out, load_datasets
from seqlabel.training.teacher import load_teachers, teacher_of

MEASURED = 3
"""Number of batches timed for the estimate, after one that is not timed."""


def dry_run(experiment: Experiment, data: Path, workers: Workers) -> str:
    """A description of the run; a few batches are loaded and computed to estimate its time."""
    if experiment.initial:
        load_weights(resolve(experiment.initial) / WEIGHTS)  # before hours of features
    teachers = load_teachers(experiment.phases, experiment.for_corpus(data), None)
    configure_torch(experiment)
    front_end, train, dev = load_datasets(experiment, data, workers)
    for teacher in teachers.values():
        teacher.check_data(train.alphabet, front_end)
    model = make_model(experiment, front_end, train.alphabet)
    if experiment.initial:
        take_initial(model, experiment, front_end, train.alphabet)
    model.to(workers.device)
    batch_size = experiment.batches.usual_size(train.lengths)
    precision = set_precision(model, experiment.training.bf16, batch_size, workers)
    for teacher in teachers.values():
        set_precision(teacher.model.to(workers.device), precision.bf16, batch_size, workers)
    train, skipped = leave_out(train, model, "train")
    rng = np.random.default_rng(experiment.seed)
    batches = make_batches(train.lengths, experiment.batches, rng)
    gradient = [phase for phase in experiment.phases if isinstance(phase, Phase)]
    slowest = max(
        gradient, key=lambda phase: (phase.consistency > 0, bool(phase.teacher)), default=Phase()
    )
    prior = LabelPrior(len(train.alphabet), slowest.label_prior) if slowest.label_prior else None
    ema = Ema(model, slowest.ema) if slowest.ema else None
    teaching = teacher_of(slowest, teachers, model, ema)
    terms = make_terms(slowest, experiment.model.layers, teaching, prior)
    views = slowest.consistency > 0, bool(slowest.teacher)
    seconds, frames, measured = 0.0, 0, 0
    for n, chosen in enumerate(batches[: MEASURED + 1]):
        # Loading and distorting count: they run in another thread, but on the same cores.
        started = time.perf_counter()
        batch = train.batch(chosen, (experiment.seed, 0, 0), 1.0, *views)
        model(batch.to(workers.device), make_objective(Phase(), prior), terms).sum().backward()
        if n or len(batches) == 1:
            measured += 1
            seconds += time.perf_counter() - started
            frames += int(train.lengths[chosen].sum())  # distortion may change it
    total = int(train.lengths.sum())
    epoch = total * seconds / max(1, frames) / workers.world
    most = sum(phase.epochs for phase in gradient)
    others = {phase.method for phase in experiment.phases} - {"gradient"}
    without = f"; none for {', '.join(sorted(others))}" if others else ""
    peak = peak_memory() / 2**20
    return "\n".join(
        [
            str(model),
            f"weights       {model.weight_count:,}",
            f"labels        {len(train.alphabet)} including the blank ({train.alphabet.unit}s)",
            f"LSTM layers   multiply in {'bfloat16' if precision.bf16 else 'float32'}",
            f"inputs        {front_end.dim} per frame",
            f"training set  {len(train)} utterances, {total:,} frames, {len(skipped)} left out",
            f"dev set       {len(dev)} utterances, {dev.lengths.sum():,} frames",
            f"batches       {len(batches)} per epoch, {batches.sizes.min()} to "
            f"{batches.sizes.max()} utterances, "
            f"{100 * padding_share(batches, train.lengths):.1f} % padding",
            f"time          about {epoch:.0f} s per epoch without evaluation, at most "
            f"{most * epoch / 60:.0f} min for {most} epochs (from {measured} "
            f"batch{'es' if measured > 1 else ''}{without})",
            f"memory        {peak:.0f} MiB peak so far, without optimiser state",
        ]
    )
