"""Options of training: phases, augmentation, and settings of the whole run."""

from dataclasses import dataclass, field
from typing import Any, Literal

from seqlabel.config import build
from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank
from seqlabel.features.image import ImageAugmentation
from seqlabel.features.ink.augmentation import Augmentation
from seqlabel.features.sound import SoundAugmentation
from seqlabel.features.specaugment import SpecAugment
from seqlabel.features.speed import check_speed
from seqlabel.features.warping import Warping
from seqlabel.scoring.protocols import get_protocol

MEAN_TEACHER = "ema"
"""The teacher that is the average of the student's weights."""


@dataclass(frozen=True)
class AnyPhase:
    """Options of phases of all methods.

    method: of training. name: for the log. epochs: maximum number. patience: epochs without
    a better `monitor` before the phase ends (0: never). monitor: dev "error" rate, dev "loss", or
    dev "frame_error" rate (framewise criterion).
    """

    method: Literal["gradient", "evolution", "kalman", "evolino"] = "gradient"
    name: str = "train"
    epochs: int = 50
    patience: int = 10
    monitor: Literal["error", "loss", "frame_error"] = "error"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.patience < 0:
            raise InputError("epochs must be at least 1, and patience not negative")


@dataclass(frozen=True)
class Phase(AnyPhase):
    """One phase of training; each starts from the best weights of the previous one.

    method: "gradient" descent, to which these options apply; others have their own options.
    name: for the log. epochs: maximum number. patience: epochs without a better `monitor` before
    the phase ends (0: never). monitor: dev "error" rate, dev "loss", or dev "frame_error" rate
    (framewise criterion). objective: the "criterion" itself, or "expected_error" (Graves & Jaitly
    2014) with `samples` paths per utterance, mixed with `criterion_weight` times the criterion.
    optimiser: "nesterov" is "sgd" with Nesterov's momentum. learning_rate with warmup (updates,
    linear) and decay: "constant", "cosine" or "linear" to `final_rate` times the rate at the last
    epoch, or "halving" after `halving_patience` epochs without improvement. clip_norm, clip_value:
    of the gradient (0: off). weight_decay: decoupled with "adamw", L2 otherwise. accumulate:
    batches per update. weight_noise: σ, drawn once per update (Graves 2013: 0.075). adaptive_noise:
    initial σ of every weight, then learned (Graves 2011: 0.075). input_noise: σ added to the
    normalised frames (Graves 2006: 0.6). ema: decay of the averaged weights that are evaluated and
    kept (0: off). average: best epochs whose weights are averaged at the end of the phase.
    consistency: weight α of consistency regularisation (CR-CTC, Yao et al. 2025: 0.2; 0: off): two
    views of each utterance, with masks, input noise and dropout of their own, are trained to agree
    (`seqlabel.models.consistency`). An update takes twice the time. intermediate: weight w of the
    loss of a lower layer's outputs in the sum (Lee & Watanabe 2021: 0.3; 0: off), those of
    `intermediate_layer`, numbered from 1 (0: the middle one, the lower of two); the output layer is
    the same. teacher: a model directory, or the name of a model that comes with the package, of the
    same labels, features and frames, which reads the frames without masks and noise; "ema" is the
    average of the network's own weights that `ema` asks for (mean teacher, Tarvainen & Valpola
    2017). distillation: weight α of the divergence from its probabilities at each frame, the loss
    having 1 - α (`seqlabel.models.distillation`; Furlanello et al. 2018). An update takes about a
    third more time. label_prior: α of label priors (Huang et al. 2024; 0: off), which make the
    probabilities of CTC less peaky (`seqlabel.models.label_prior`); the training loss is then not
    comparable with the dev loss.
    """

    method: Literal["gradient"] = "gradient"
    objective: Literal["criterion", "expected_error"] = "criterion"
    samples: int = 8
    criterion_weight: float = 0.1
    optimiser: Literal["adam", "adamw", "sgd", "nesterov"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    warmup: int = 0
    decay: Literal["constant", "cosine", "linear", "halving"] = "constant"
    final_rate: float = 0.01
    halving_patience: int = 3
    clip_norm: float = 1.0
    clip_value: float = 0.0
    accumulate: int = 1
    weight_noise: float = 0.0
    adaptive_noise: float = 0.0
    input_noise: float = 0.0
    ema: float = 0.0
    average: int = 1
    consistency: float = 0.0
    intermediate: float = 0.0
    intermediate_layer: int = 0
    teacher: str = ""
    distillation: float = 0.0
    label_prior: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.accumulate < 1 or self.average < 1 or self.samples < 2:
            raise InputError("accumulate and average must be at least 1, samples at least 2")
        if self.learning_rate <= 0 or not 0 <= self.ema < 1 or not 0 <= self.momentum < 1:
            raise InputError("learning_rate must be above 0; ema and momentum must be in [0, 1)")
        if self.weight_noise and self.adaptive_noise:
            raise InputError(
                "weight_noise is fixed, adaptive_noise is learned: set one of them to 0"
            )
        noise = min(self.weight_noise, self.adaptive_noise, self.input_noise)
        if min(noise, self.clip_norm, self.clip_value) < 0:
            raise InputError("noise and clipping must not be negative")
        if min(self.warmup, self.weight_decay, self.criterion_weight, self.consistency) < 0:
            raise InputError(
                "warmup, weight_decay, criterion_weight and consistency must not be negative"
            )
        if not 0 <= self.intermediate < 1 or self.intermediate_layer < 0:
            raise InputError(
                "intermediate must be in [0, 1), intermediate_layer must not be negative"
            )
        if not 0 <= self.distillation <= 1 or self.label_prior < 0:
            raise InputError("distillation must be in [0, 1], label_prior must not be negative")
        if bool(self.teacher) != bool(self.distillation):
            raise InputError(
                "teacher and distillation belong together: name a model directory and give "
                "distillation a weight above 0, or leave both out"
            )
        if self.teacher == MEAN_TEACHER and not self.ema:
            raise InputError(
                "teacher = 'ema' is the average of the weights: set ema above 0 (0.998), or write "
                "'./ema' for a folder of that name"
            )
        if not 0 <= self.final_rate <= 1 or self.halving_patience < 1:
            raise InputError("final_rate must be in [0, 1], halving_patience at least 1")


@dataclass(frozen=True)
class AugmentationOptions:
    """Augmentation of training utterances.

    speeds: factors of speed perturbation besides 1, in steps of 0.01; one of them or 1 is drawn for
    each use.
    time_masks, time_width, frequency_masks, frequency_width: SpecAugment (Park et al. 2019) on the
    normalised frames before stacking: masks drawn up to that many frames or features wide.
    frequency_warp, time_warp: `seqlabel.features.warping.Warping` of log filter energies ("fbank"):
    greatest change of a factor of the frequencies (0.1), and greatest shift of a frame in frames.
    ink: options of `seqlabel.features.ink.Augmentation`; an empty table changes nothing.
    image: options of `seqlabel.features.image.ImageAugmentation`, likewise.
    sound: options of `seqlabel.features.sound.SoundAugmentation`, likewise; it extracts features
    anew at every use, at any speed, and replaces `speeds`.
    """

    speeds: tuple[float, ...] = ()
    time_masks: int = 0
    time_width: int = 0
    frequency_masks: int = 0
    frequency_width: int = 0
    frequency_warp: float = 0.0
    time_warp: int = 0
    ink: dict[str, Any] = field(default_factory=dict)
    image: dict[str, Any] = field(default_factory=dict)
    sound: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for speed in self.speeds:
            check_speed(speed)
        self.masks(1)
        self.warping(Fbank())
        self.distortion()
        self.image_distortion()
        if self.sound_distortion() and self.speeds:
            raise InputError(
                "augmentation: speeds are of stored features, sound extracts them anew; "
                "set speeds = [] and sound.speed"
            )

    def masks(self, streams: int) -> SpecAugment | None:
        """The masks, None if there are none; streams: parts of a frame with the same masks."""
        masks = SpecAugment(
            self.time_masks, self.time_width, self.frequency_masks, self.frequency_width, streams
        )
        return masks if self.time_masks or self.frequency_masks else None

    def warping(self, extractor: Any) -> Warping | None:
        """The warping of an extractor's frames, None if there is none."""
        if not self.frequency_warp and not self.time_warp:
            return None
        if not isinstance(extractor, Fbank):
            raise InputError(
                "augmentation: frequency_warp and time_warp are for features.kind = 'fbank'; "
                "leave them out"
            )
        return Warping(extractor, self.frequency_warp, self.time_warp)

    def distortion(self) -> Augmentation | None:
        """Distortion of ink, None if there is none."""
        return build(Augmentation, self.ink, "ink") if self.ink else None

    def image_distortion(self) -> ImageAugmentation | None:
        """Distortion of images, None if there is none."""
        return build(ImageAugmentation, self.image, "image") if self.image else None

    def sound_distortion(self) -> SoundAugmentation | None:
        """Distortion of speech, None if there is none."""
        options = build(SoundAugmentation, self.sound, "sound")
        return options if options.changes else None


@dataclass(frozen=True)
class TrainingOptions:
    """Settings of the whole run.

    checkpoint_minutes: between checkpoints inside an epoch (one is written after an epoch too, as
    long as all of them take less than 0.5 % of the time). nonfinite_limit: skipped updates in
    a row before the run stops with a diagnosis, at most those of an epoch. threads: torch
    threads (0: all cores).
    bf16: products of the LSTM layers, on a CPU, of numbers rounded to bfloat16, sums and states in
    float32: true, false, or "auto", which times both on the layers at the start and takes bfloat16
    where a step needs at most 0.9 of the time. It does on processors with AMX or AVX-512 BF16;
    elsewhere "auto" is float32, and true computes the same numbers without gaining time. A run
    keeps what was chosen when it is resumed. "auto" leaves cells without forget gate in float32,
    which add up roundings.
    protocol: of the dev error rate (`seqlabel.scoring`).
    """

    checkpoint_minutes: float = 10.0
    nonfinite_limit: int = 20
    threads: int = 0
    bf16: Literal[True, False, "auto"] = False
    protocol: str = "plain"

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise InputError(f"threads = {self.threads}: must not be negative")
        if self.nonfinite_limit < 1 or self.checkpoint_minutes < 0:
            raise InputError("nonfinite_limit must be at least 1, checkpoint_minutes not negative")
        get_protocol(self.protocol)
