"""From a configuration and a prepared corpus to a model directory."""

import logging
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from seqlabel.data import Dataset
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd
from seqlabel.files import fingerprint, read_json, sole_writer
from seqlabel.lstm.runtime import flush_denormals
from seqlabel.models.model import Model
from seqlabel.models.regression import Regression
from seqlabel.models.transducer import Transducer
from seqlabel.pretrained import resolve
from seqlabel.training.checkpoint import Progress
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.initial import take_initial
from seqlabel.training.label_model import pretrain_prediction
from seqlabel.training.method_options import MethodPhase
from seqlabel.training.monitor import Monitor
from seqlabel.training.phase_record import Run
from seqlabel.training.phases import run_phases
from seqlabel.training.precision import Precision, set_precision
from seqlabel.training.resuming import check_same_data, check_same_signals, earlier_run
from seqlabel.training.run_directory import (
    RUN,
    WEIGHTS,
    load_weights,
    make_model,
    write_description,
)
from seqlabel.training.setup import leave_out, load_datasets, name_unusable
from seqlabel.training.snapshots import all_snapshots, snapshots_of
from seqlabel.training.teacher import check_same_teachers, load_teachers

log = logging.getLogger("seqlabel")

NORMALISED_ERROR = "NRMSE"
"""Root mean squared error divided by the deviation of the training targets; 100 % for their mean.
"""


def train(
    experiment: Experiment,
    data: Path,
    folder: Path,
    workers: Workers,
    resume: bool = False,
    tensorboard: bool = False,
) -> Run:
    """Train the network of a configuration and write the model directory `folder`.

    data: a folder made by `seqlabel prepare`. resume: continue from the last checkpoint if
    there is one; a finished run is not changed. Raises InputError for unusable data, and for a
    folder with another run or one in progress.
    """
    with ExitStack() as held:
        if workers.first:
            held.enter_context(sole_writer(folder))
        return _train(experiment, data, folder, workers, resume, tensorboard)


def _train(
    experiment: Experiment,
    data: Path,
    folder: Path,
    workers: Workers,
    resume: bool,
    tensorboard: bool,
) -> Run:
    experiment = experiment.for_corpus(data)
    checkpoint = earlier_run(experiment, folder, workers, resume)
    state, progress = checkpoint or (None, None)
    if experiment.initial and state is None:
        load_weights(resolve(experiment.initial) / WEIGHTS)  # before hours of features
    teachers = load_teachers(_ahead(experiment, progress), experiment, folder)
    if state is not None and teachers:
        check_same_teachers(teachers, folder)
    configure_torch(experiment)
    front_end, training, dev = load_datasets(experiment, data, workers)
    for teacher in teachers.values():
        teacher.check_data(training.alphabet, front_end)
    content = fingerprint(dataset.utterances.content for dataset in (training, dev))
    if state is not None:
        check_same_data(training.alphabet, content, data, folder)
        check_same_signals(front_end.statistics, data, folder)
    model = _make_model(experiment, front_end, training, dev, begins=state is None)
    model.to(workers.device)
    known = None
    if state is not None and experiment.training.bf16 == "auto":
        known = Precision.of_run(read_json(folder / RUN), str(folder / RUN))
    batch = experiment.batches.usual_size(training.lengths)
    precision = set_precision(model, experiment.training.bf16, batch, workers, known)
    for teacher in teachers.values():
        set_precision(teacher.model.to(workers.device), precision.bf16, batch, workers)
    metric = training.alphabet.metric
    if isinstance(model.criterion, Regression):
        metric = NORMALISED_ERROR
        began = None if state is None else state["model"]
        normalise_values(model.criterion, training, began, data, folder)
    usable, skipped = leave_out(training, model, "train")
    name_unusable(dev, model, "dev")
    if state is None and workers.first:
        facts = {
            "data": str(data.resolve()),
            "data_fingerprint": content,
            "training_utterances": len(training),
            "skipped": {entry.id: entry.reason for entry in skipped},
            "dev_utterances": len(dev),
            "weights": model.weight_count,
            "processes": workers.world,
            "teachers": {name: teacher.digest for name, teacher in teachers.items()},
            **precision.facts(),
        }
        write_description(folder, experiment, training.alphabet, front_end, facts)
    board = folder / "tensorboard" if tensorboard else None
    monitor = Monitor(folder, metric, workers.first, board)
    run = Run(experiment, model, usable, dev, folder, workers, monitor, teachers=teachers)
    if state is not None and progress is not None:
        _go_on(run, state, progress)
    with stopping_politely(run):
        run_phases(run)
    return run


def _ahead(experiment: Experiment, progress: Progress | None) -> Sequence[MethodPhase]:
    """The phases that are still to be run."""
    if progress is None:
        return experiment.phases
    return () if progress.finished else experiment.phases[progress.phase :]


def _make_model(
    experiment: Experiment, front_end: FrontEnd, training: Dataset, dev: Dataset, begins: bool
) -> Model:
    """The network; where a run `begins`, with the weights of `initial` and trained on labels."""
    torch.manual_seed(experiment.seed)
    model = make_model(experiment, front_end, training.alphabet)
    taken: set[str] = set()
    if experiment.initial and begins:
        taken = take_initial(model, experiment, front_end, training.alphabet)
    if (
        isinstance(model.criterion, Transducer)
        and begins
        and not taken.issuperset(prediction_weights(model.criterion))
    ):
        pretrain_prediction(model.criterion, training.targets, dev.targets, experiment.seed)
    return model


def _go_on(run: Run, state: dict[str, Any], progress: Progress) -> None:
    """Let a run begin where its checkpoint was written."""
    if not run.workers.first:  # the checkpoint holds the sums over all processes
        progress = replace(progress, loss_sum=0.0, utterances=0.0, frames=0.0)
    run.checkpoint, run.progress = state, progress
    run.monitor.resume(progress.epochs_done)
    run.named = all_snapshots(run.folder), snapshots_of(run.folder, progress)


def configure_torch(experiment: Experiment) -> None:
    """Threads, and flushing of denormal numbers, which are very slow on CPUs."""
    if experiment.training.threads:
        torch.set_num_threads(experiment.training.threads)
    flush_denormals()


def normalise_values(
    criterion: Regression,
    training: Dataset,
    began: Mapping[str, torch.Tensor] | None,
    data: Path,
    folder: Path,
) -> None:
    """Give a regression the mean and deviation of its training targets.

    began: the weights of the resumed run, which has these statistics. Raises InputError if the
    targets have changed, and for those of "bernoulli" outside 0 ... 1.
    """
    mean, std = training.value_statistics()
    if len(mean) != criterion.size:
        raise InputError(
            f"{data}: {len(mean)} values per frame, but criterion.size is {criterion.size}"
        )
    if criterion.options.loss == "bernoulli":
        for n in range(len(training)):
            values = training.values_of(n)
            if (values < 0).any() or (values > 1).any():  # neither holds for NaN
                raise InputError(
                    f"{training.utterance(n).id}: values outside 0 ... 1; criterion.loss = "
                    "'bernoulli' is for these, 'squared' and 'gaussian' for others"
                )
        mean, std = np.zeros_like(mean), np.ones_like(std)  # whatever `initial` has
    device = criterion.mean.device
    criterion.mean = torch.from_numpy(mean).float().to(device)
    criterion.std = torch.from_numpy(std).float().to(device)
    for name, now in (("mean", criterion.mean), ("std", criterion.std)):
        then = now if began is None else began[f"criterion.{name}"].to(device)
        if not torch.allclose(now, then, rtol=1e-3, atol=1e-5):
            raise InputError(
                f"{data}: the targets have changed since the run in {folder} began; put "
                "them back, or train into another --out"
            )


def prediction_weights(transducer: Transducer) -> set[str]:
    """Names, in a model, of the weights of a transducer's prediction network."""
    return {f"criterion.prediction.{name}" for name in transducer.prediction.state_dict()}


@contextmanager
def stopping_politely(run: Run) -> Iterator[None]:
    """Ctrl-C or SIGTERM ends the run after the current update and a checkpoint; the second at once.

    With several processes SIGTERM ends each at once: it follows the loss of another process, after
    which there is no next update.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        if run.stop:
            raise KeyboardInterrupt
        run.stop = True

    signals = [signal.SIGINT] if run.workers.world > 1 else [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.signal(number, ask) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
