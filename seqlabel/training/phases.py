"""Runs the phases of a training run, each with the loop of its method."""

from typing import Protocol

from seqlabel.training.loop import PhaseLoop
from seqlabel.training.method_options import EvolutionPhase, KalmanPhase
from seqlabel.training.options import Phase
from seqlabel.training.phase_record import PhaseRecord, Run
from seqlabel.training.snapshots import remove_snapshots


class Loop(Protocol):
    """The training loop of one phase."""

    record: PhaseRecord

    def run(self) -> None:
        """Run the remaining epochs."""


def run_phases(run: Run) -> None:
    """Train through all phases; the model directory then has the best weights."""
    if run.progress.finished:
        if run.workers.first:
            remove_snapshots(run.folder, ())  # a run may be killed before it has done so
        return
    run.clock.watch(run.model.encoder, "forward")
    for number in range(run.progress.phase, len(run.experiment.phases)):
        loop = make_loop(run, number)
        loop.run()
        if number + 1 == len(run.experiment.phases):
            run.progress.finished = True
            loop.record.checkpoint()
            if run.progress.kept:  # the checkpoint before still needs the snapshots
                loop.record.checkpoint()


def make_loop(run: Run, number: int) -> Loop:
    """The training loop of phase `number`."""
    phase = run.experiment.phases[number]
    if isinstance(phase, Phase):
        return PhaseLoop(run, number, phase)
    # Imported only when needed: most runs use gradient descent alone.
    if isinstance(phase, EvolutionPhase):
        from seqlabel.training.evolution import EvolutionLoop

        return EvolutionLoop(run, number, phase)
    if isinstance(phase, KalmanPhase):
        from seqlabel.training.kalman import KalmanLoop

        return KalmanLoop(run, number, phase)
    from seqlabel.training.evolino import EvolinoLoop

    return EvolinoLoop(run, number, phase)
