"""The phases of a run, one after the other, each by the loop of its method."""

from seqlabel.training.loop import PhaseLoop
from seqlabel.training.options import Phase
from seqlabel.training.phase_record import Run


def run_phases(run: Run) -> None:
    """Train through all phases; the model directory then holds the best weights."""
    if run.progress.finished:
        return
    run.clock.watch(run.model.encoder, "forward")
    for number in range(run.progress.phase, len(run.experiment.phases)):
        loop = make_loop(run, number)
        loop.run()
        if number + 1 == len(run.experiment.phases):
            run.progress.finished = True
            loop.record.checkpoint()


def make_loop(run: Run, number: int) -> PhaseLoop:
    """The loop of the method of phase `number`."""
    phase = run.experiment.phases[number]
    assert isinstance(phase, Phase)
    return PhaseLoop(run, number, phase)
