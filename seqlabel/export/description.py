"""Description of an exported model: metadata of the ONNX file, each value JSON.

format       version of these keys              seqlabel      version that wrote the file
alphabet     as in a model directory            features      extractor and its options
front_end    normalisation and stacking         statistics    mean and deviation, or null
batches      how a set is cut into batches      network       `Shape`
rate         samples per second, or null        latency       seconds, null if unbounded
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.config import as_table, build
from seqlabel.data.batches import BatchOptions
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd, FrontEndOptions, extractor_table, make_extractor
from seqlabel.features.normalisation import Statistics
from seqlabel.features.stream import signal_latency

FORMAT = 1
"""Version of the keys; others cannot be read."""


@dataclass(frozen=True)
class Shape:
    """Inputs and outputs of the graph.

    input: "frames" (B, T, F) of the front end, or "samples" (B, N) if the graph includes it; each
    with "lengths" (B,).
    subsample: frames per output of "log_probs" (B, T', K), with "output_lengths" (B,).
    states: sizes (layers, width) of the states that go in as NAME0 and come out as NAMEn,
    (layers, B, width), initially zero; none for a graph that takes whole signals only.
    chunk, lookahead: frames, for latency-controlled networks, else 0. Such a graph takes one window
    at a time, a chunk with its look-ahead; outputs and states are those of the chunk.
    timed: whether "elapsed" (B, T) is an input: the seconds since the previous frame.
    waits: maximum number of later frames that an output waits for, none for all of them.
    delayed: whether criterion.delay is the reason for this, and the model directory can stream.
    """

    input: Literal["frames", "samples"] = "frames"
    subsample: int = 1
    states: dict[str, tuple[int, int]] = field(default_factory=dict)
    chunk: int = 0
    lookahead: int = 0
    timed: bool = False
    waits: int | None = None
    delayed: bool = False


@dataclass(frozen=True)
class Description:
    """A recognizer without its network."""

    alphabet: Alphabet
    front_end: FrontEnd
    batches: BatchOptions
    shape: Shape

    @property
    def latency(self) -> float:
        """Seconds, inf if unbounded; see `Recognizer.latency`."""
        return signal_latency(self.front_end, self.shape.waits)

    def to_metadata(self) -> dict[str, str]:
        """The keys and values of the file."""
        from seqlabel import __version__

        statistics = self.front_end.statistics
        values = {
            "format": FORMAT,
            "seqlabel": __version__,
            "alphabet": self.alphabet.to_json(),
            "features": extractor_table(self.front_end.extractor),
            "front_end": as_table(self.front_end.options),
            "statistics": statistics
            and {"mean": statistics.mean.tolist(), "std": statistics.std.tolist()},
            "batches": as_table(self.batches),
            "network": as_table(self.shape),
            "rate": getattr(self.front_end.extractor, "rate", None),
            "latency": self.latency if math.isfinite(self.latency) else None,
        }
        return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}

    @classmethod
    def of_metadata(cls, metadata: Mapping[str, str], path: Path) -> "Description":
        """Read the output of `to_metadata`; InputError that names the file for anything else."""
        if "format" not in metadata or "alphabet" not in metadata:
            raise InputError(
                f"{path}: not an ONNX file of seqlabel export (no alphabet, no front "
                "end); export a model directory"
            )
        try:
            value = {key: json.loads(metadata[key]) for key in _KEYS}
            if value["format"] != FORMAT:
                raise InputError(
                    f"exported in format {value['format']!r}, but this version reads {FORMAT}; "
                    "export the model directory again"
                )
            alphabet = Alphabet.from_json(value["alphabet"], path.name)
            statistics = value["statistics"] and Statistics(
                *(np.array(value["statistics"][key], np.float32) for key in ("mean", "std"))
            )
            options = build(FrontEndOptions, value["front_end"], "front_end")
            front_end = FrontEnd(make_extractor(value["features"]), options, statistics)
            batches = build(BatchOptions, value["batches"], "batches")
            shape = build(Shape, value["network"], "network")
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: damaged description ({error!r}); export the model again"
            ) from None
        return cls(alphabet, front_end, batches, shape)


_KEYS = (
    "format", "alphabet", "features", "front_end", "statistics", "batches", "network",
)  # fmt: skip
