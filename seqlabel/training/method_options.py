"""Options of phases that train by other methods than gradient descent."""

from dataclasses import dataclass
from typing import Any, Literal

from seqlabel.errors import InputError
from seqlabel.models.criteria import CRITERIA, Ctc
from seqlabel.models.framewise import Framewise
from seqlabel.training.options import AnyPhase, Phase


@dataclass(frozen=True)
class EvolutionPhase(AnyPhase):
    """A phase of evolution strategies: uses the objective at perturbed weights, no gradient.

    name, epochs, patience, monitor: as in every phase; one update per batch.
    objective: "error", the errors of greedy decoding under `training.protocol`, or "loss", the loss
    of the criterion.
    population: perturbed networks per update, each evaluated on the whole batch.
    sigma: standard deviation of their Gaussian noise.
    antithetic: draw perturbations in pairs ±ε.
    shaping: "ranks" replaces the values of the objective by their ranks, "none" keeps them.
    optimiser: gets the estimated gradient; momentum applies to "sgd". learning_rate: constant.
    weights: evolve "all", or those of the criterion's "output" layer.
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
                f"population = {self.population}: there is nothing to compare; give at least 2"
            )
        if self.antithetic and self.population % 2:
            raise InputError(
                f"population = {self.population} is odd, but antithetic perturbations come in "
                f"pairs; give {self.population + 1}, or antithetic = false"
            )
        if self.sigma <= 0 or self.learning_rate <= 0 or not 0 <= self.momentum < 1:
            raise InputError("sigma and learning_rate must be above 0, momentum in [0, 1)")


@dataclass(frozen=True)
class KalmanPhase(AnyPhase):
    """A phase of the decoupled extended Kalman filter: few updates, each of them expensive.

    name, epochs, patience, monitor: as in every phase; one update per batch.
    frames: frames of each utterance per update; the next frames follow in the next update. 0: all.
    groups: "units" treats weights that lead into different units as uncorrelated (decoupled);
    "all" keeps one covariance of all weights (the full filter).
    p0: initial variance of the weights.
    measurement_noise, process_noise: variances of the targets and of the drift of the weights.
    noise: "absolute", or "relative": measurement_noise is a factor on the variance that each target
    has according to the network, p (1 - p) of a probability; 1 is that of the criterion's
    likelihood (Ollivier 2018).
    final_measurement_noise, final_process_noise: their values after `annealing` updates, approached
    geometrically; 0: at the end of the phase.
    memory: maximum size of the filter in GiB.
    """

    method: Literal["kalman"] = "kalman"
    frames: int = 0
    groups: Literal["units", "all"] = "units"
    p0: float = 100.0
    measurement_noise: float = 100.0
    final_measurement_noise: float = 3.0
    noise: Literal["absolute", "relative"] = "absolute"
    process_noise: float = 1e-2
    final_process_noise: float = 1e-6
    annealing: int = 0
    memory: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        noises = (self.measurement_noise, self.final_measurement_noise, self.memory, self.p0)
        if min(noises) <= 0 or min(self.process_noise, self.final_process_noise) < 0:
            raise InputError(
                "p0, measurement noise and memory must be above 0, process noise not negative"
            )
        if (self.process_noise == 0) != (self.final_process_noise == 0):
            raise InputError("process_noise and final_process_noise must both be 0 or both above 0")
        if min(self.frames, self.annealing) < 0:
            raise InputError("frames and annealing must not be negative")


@dataclass(frozen=True)
class EvolinoPhase(AnyPhase):
    """A phase of Evolino: cells are evolved, output weights are fitted to the outputs of the cells.

    name, epochs, patience, monitor: as in every phase; an epoch is a generation.
    population: candidates per cell.
    trials: networks per generation in which each candidate takes part.
    initial: initial weights are uniform in ±initial; for forget gate biases, around
    `model.forget_bias`.
    mutation: scale of the Cauchy noise.
    input_scale: factor on the initial values and on the noise of the weights from the inputs.
    parents: share of the candidates that are kept and copied with mutations.
    burst: generations without a better network after which all candidates are drawn anew around the
    best one (0: never).
    readout: "least_squares" (pseudo-inverse) or "svr" (support vector regression with `epsilon` and
    `penalty`; needs scikit-learn).
    washout: frames at the start of a sequence that are not fitted.
    free_run: frames at its end where the network reads its own predictions; fitness and dev error
    are then the errors on these frames. With 0, fitness is the error on the fitted frames.
    """

    method: Literal["evolino"] = "evolino"
    patience: int = 0
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
                f"population = {self.population}: there is nothing to compare; give at least 2"
            )
        if self.burst and 0 < self.patience <= self.burst:
            raise InputError(
                f"patience = {self.patience} ends the phase before burst = {self.burst} "
                "generations without a better network; set patience above it, or one of them to 0"
            )
        if not 0 < self.parents < 1:
            raise InputError(f"parents = {self.parents}: must be between 0 and 1")
        if min(self.initial, self.mutation, self.input_scale, self.penalty) <= 0:
            raise InputError("initial, mutation, input_scale and penalty must be above 0")
        if self.trials < 1:
            raise InputError(f"trials = {self.trials}: give at least 1")
        if min(self.burst, self.washout, self.free_run, self.epsilon) < 0:
            raise InputError("burst, washout, free_run and epsilon must not be negative")


MethodPhase = Phase | EvolutionPhase | KalmanPhase | EvolinoPhase
"""A phase of any method; `method` selects the class."""

FITTED_LOSSES = {"kalman": ("squared", "bernoulli"), "evolino": ("squared",)}
"""Losses of a regression that each method can fit."""


def check_criterion(phase: MethodPhase, criterion: Any, options: Any) -> None:
    """Raise InputError if the method of a phase cannot train a criterion with these options."""
    kind = next(name for name, cls in CRITERIA.items() if cls is criterion)
    where = f"phase {phase.name}, method = {phase.method!r}"
    if phase.monitor == "frame_error" and criterion is not Framewise:
        raise InputError("monitor = 'frame_error' needs criterion.kind = 'framewise'")
    if isinstance(phase, Phase):
        if phase.objective == "expected_error" and criterion is not Ctc:
            raise InputError("objective = 'expected_error' needs criterion.kind = 'ctc'")
        if phase.consistency and not criterion.per_label:
            raise InputError(
                f"consistency compares the label probabilities of each frame, which criterion.kind "
                f"= {kind!r} does not have; use 'ctc', 'levels' or 'framewise'"
            )
        for option in ("teacher", "label_prior"):
            if getattr(phase, option) and criterion is not Ctc:
                raise InputError(f"{option} needs criterion.kind = 'ctc', not {kind!r}")
        if phase.label_prior and phase.objective != "criterion":
            raise InputError(
                f"label_prior changes the CTC loss, which objective = {phase.objective!r} "
                "replaces; leave one of them out"
            )
    elif isinstance(phase, EvolutionPhase):
        if phase.weights == "output" and kind in ("levels", "transducer"):
            raise InputError(
                f"{where}: criterion.kind = {kind!r} has more than one output layer; set "
                "weights = 'all'"
            )
        if phase.objective == "error" and kind == "regression":
            raise InputError(f"{where}: a regression has no labels; set objective = 'loss'")
    elif not hasattr(criterion, "fitting"):
        raise InputError(
            f"{where}: this method fits one target per frame, which criterion.kind = {kind!r} "
            "does not have; use 'framewise' or 'regression', or method 'gradient' or 'evolution'"
        )
    elif getattr(options, "weighted", False):
        raise InputError(f"{where}: fits all frames alike; set criterion.weighted = false")
    elif kind == "regression" and options.loss not in FITTED_LOSSES[phase.method]:
        known = " or ".join(map(repr, FITTED_LOSSES[phase.method]))
        raise InputError(f"{where}: needs criterion.loss = {known}, not {options.loss!r}")
