"""What a configuration may say of phases by other methods than gradient descent."""

from dataclasses import dataclass
from typing import Any, Literal

from seqlabel.errors import InputError
from seqlabel.models.criteria import CRITERIA, Ctc
from seqlabel.models.framewise import Framewise
from seqlabel.training.options import AnyPhase, Phase


@dataclass(frozen=True)
class EvolutionPhase(AnyPhase):
    """A phase of evolution strategies: no gradient, only what perturbed weights are worth.

    name, epochs, patience, monitor: as in every phase; an update is made from each batch.
    objective: "error", the errors of the greedy labels, folded as `training.protocol` says, or
    "loss", the criterion's.
    population: perturbed networks per update, each tried on the whole batch. sigma: of their
    Gaussian noise. antithetic: perturbations come in pairs ±ε. shaping: "ranks" of the objective
    take its place, or "none".
    optimiser: takes the estimate for a gradient; momentum is that of "sgd".
    weights: "all" are evolved, or those of the "output" layer of the criterion.
    """

    method: Literal["evolution"] = "evolution"
    objective: Literal["error", "loss"] = "error"
    population: int = 32
    sigma: float = 0.02
    antithetic: bool = True
    shaping: Literal["ranks", "none"] = "ranks"
    optimiser: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 0.01
    momentum: float = 0.9
    weights: Literal["all", "output"] = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.population < 2:
            raise InputError(
                f"population = {self.population}: one network has none to be compared with; give "
                "at least 2"
            )
        if self.antithetic and self.population % 2:
            raise InputError(
                f"population = {self.population} is odd, antithetic perturbations come in pairs: "
                f"take {self.population + 1}, or antithetic = false"
            )
        if self.sigma <= 0 or self.learning_rate <= 0 or not 0 <= self.momentum < 1:
            raise InputError("sigma and learning_rate are above 0, momentum lies in [0, 1)")


@dataclass(frozen=True)
class KalmanPhase(AnyPhase):
    """A phase of the decoupled extended Kalman filter: few updates, each of them dear.

    name, epochs, patience, monitor: as in every phase; an update is made from each batch.
    frames: of every utterance that are measured in one update, the next ones in the next; 0: all.
    groups: weights of different groups are taken as uncorrelated: those of the "units" (decoupled),
    or "all" in one group (the full filter). p0: variance of the weights at first.
    measurement_noise falls to final_measurement_noise, process_noise to final_process_noise over
    `annealing` updates, geometrically. memory: GiB that the filter may take.
    """

    method: Literal["kalman"] = "kalman"
    frames: int = 0
    groups: Literal["units", "all"] = "units"
    p0: float = 100.0
    measurement_noise: float = 100.0
    final_measurement_noise: float = 3.0
    process_noise: float = 1e-2
    final_process_noise: float = 1e-6
    annealing: int = 2000
    memory: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        noises = (self.measurement_noise, self.final_measurement_noise, self.memory, self.p0)
        if min(noises) <= 0 or min(self.process_noise, self.final_process_noise) < 0:
            raise InputError(
                "p0, measurement noise and memory are above 0, process noise is not negative"
            )
        if (self.process_noise == 0) != (self.final_process_noise == 0):
            raise InputError("process_noise and final_process_noise are both 0 or both above it")
        if self.frames < 0 or self.annealing < 1:
            raise InputError("frames is not negative, annealing is at least 1")


@dataclass(frozen=True)
class EvolinoPhase(AnyPhase):
    """A phase of Evolino: evolved cells, and output weights that are fitted to their outputs.

    name, epochs, patience, monitor: as in every phase; an epoch is a generation.
    population: candidates for every cell. trials: networks of each in a generation.
    initial: weights are uniform in ±initial at first, about `model.forget_bias` for the biases of
    forget gates. mutation: scale of the Cauchy noise. input_scale: of the weights from the inputs,
    their noise too, beside that of the others.
    parents: share of the candidates that stay and have mutated copies. burst: generations without a
    better network until all candidates are drawn anew around the best one (0: never).
    readout: "least_squares" (pseudo-inverse) or "svr" (support vectors, scikit-learn; `epsilon`,
    `penalty`). washout: frames at the start of a sequence that are not fitted. free_run: frames at
    its end in which the network gets its own predictions for input: fitness and dev error are then
    the errors of these frames. Without it fitness is the error of the fitted frames.
    """

    method: Literal["evolino"] = "evolino"
    population: int = 20
    trials: int = 2
    initial: float = 0.5
    mutation: float = 0.01
    input_scale: float = 0.01
    parents: float = 0.25
    burst: int = 20
    readout: Literal["least_squares", "svr"] = "least_squares"
    epsilon: float = 1e-3
    penalty: float = 100.0
    washout: int = 100
    free_run: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.population < 2:
            raise InputError(
                f"population = {self.population}: one candidate has none to be compared with; "
                "give at least 2"
            )
        if not 0 < self.parents < 1:
            raise InputError(f"parents = {self.parents}: a share between 0 and 1 is expected")
        if min(self.initial, self.mutation, self.input_scale, self.penalty) <= 0:
            raise InputError("initial, mutation, input_scale and penalty are above 0")
        if self.trials < 1:
            raise InputError(f"trials = {self.trials}: give at least 1")
        if min(self.burst, self.washout, self.free_run, self.epsilon) < 0:
            raise InputError("burst, washout, free_run and epsilon are not negative")


MethodPhase = Phase | EvolutionPhase | KalmanPhase | EvolinoPhase
"""A phase of any method, told apart by `method`."""

FITTED_LOSSES = {"kalman": ("squared", "bernoulli"), "evolino": ("squared",)}
"""Of a regression, those whose outputs a method can fit to targets."""


def check_criterion(phase: MethodPhase, criterion: type, options: Any) -> None:
    """Raise InputError for a criterion, class and options, that a phase's method cannot take."""
    kind = next(name for name, cls in CRITERIA.items() if cls is criterion)
    where = f"phase {phase.name}, method = {phase.method!r}"
    if phase.monitor == "frame_error" and criterion is not Framewise:
        raise InputError("monitor = 'frame_error' goes with criterion.kind = 'framewise'")
    if isinstance(phase, Phase):
        if phase.objective == "expected_error" and criterion is not Ctc:
            raise InputError("objective = 'expected_error' goes with criterion.kind = 'ctc'")
    elif isinstance(phase, EvolutionPhase):
        if phase.weights == "output" and kind in ("levels", "transducer"):
            raise InputError(
                f"{where}: criterion.kind = {kind!r} has more than one output layer; "
                "weights = 'all'"
            )
        if phase.objective == "error" and kind == "regression":
            raise InputError(f"{where}: a regression has no labels; objective = 'loss'")
    elif not hasattr(criterion, "fitting"):
        raise InputError(
            f"{where}: criterion.kind = {kind!r} has no target for each frame, which this method "
            "fits; take 'framewise' or 'regression', or the methods 'gradient' and 'evolution'"
        )
    elif kind == "regression" and options.loss not in FITTED_LOSSES[phase.method]:
        known = " or ".join(map(repr, FITTED_LOSSES[phase.method]))
        raise InputError(f"{where}: it fits criterion.loss = {known}, not {options.loss!r}")
