"""Exported models in onnxruntime, without torch."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.errors import InputError
from seqlabel.export.description import Description, Shape

States = dict[str, np.ndarray]
"""Name -> (layers, B, width), of `Shape.states`."""


class OnnxNetwork:
    """The network of an exported model. shape: inputs and outputs of its graph."""

    per_label = True

    def __init__(self, session: Any, shape: Shape) -> None:
        self.session = session
        self.shape = shape

    @property
    def subsample(self) -> int:
        """Frames that become one of the outputs."""
        return self.shape.subsample

    @property
    def takes_samples(self) -> bool:
        """Whether the front end is part of the graph, so that x is samples (B, N)."""
        return self.shape.input == "samples"

    @property
    def timed(self) -> bool:
        """Whether the cells need the time between frames."""
        return self.shape.timed

    def __call__(
        self, x: np.ndarray, lengths: np.ndarray, elapsed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """x (B, T, F) or samples (B, N), lengths (B,), and elapsed (B, T) if `timed` -> outputs
        (B, T', K), lengths' (B,). A batch of none gives outputs of none."""
        if self.shape.chunk and len(x):
            return self._window_by_window(x, lengths)
        more = {} if elapsed is None else {"elapsed": elapsed}
        return self.step(x, lengths, self.zero_states(len(x)), **more)[:2]

    @property
    def waits(self) -> int | None:
        """Maximum number of later frames that an output waits for; None for all of them."""
        return self.shape.waits

    def stream(self) -> "OnnxStream":
        """The same for frames in pieces; InputError for a graph that takes whole signals only."""
        if self.shape.waits is None:
            raise InputError(f"this exported model cannot stream: {_why_whole(self.shape)}")
        return OnnxStream(self)

    def zero_states(self, batch: int) -> States:
        """The states before the first frame; none for a graph that takes whole signals only."""
        return {
            name: np.zeros((layers, batch, width), np.float32)
            for name, (layers, width) in self.shape.states.items()
        }

    def step(
        self, x: np.ndarray, lengths: np.ndarray, states: States, **more: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, States]:
        """One run of the graph: outputs (B, T', K), their lengths and the states after them.

        A unidirectional network takes any number of further frames (a multiple of `subsample`), a
        latency-controlled one a chunk with its look-ahead.
        """
        if not len(x):  # onnxruntime ends the process
            labels = self.session.get_outputs()[0].shape[2]
            return np.zeros((0, 0, labels), np.float32), np.zeros(0, np.int64), states
        inputs = {self.shape.input: x, "lengths": lengths, **more}
        inputs |= {f"{name}0": state for name, state in states.items()}
        outputs, out_lengths, *after = self.session.run(None, inputs)
        return outputs, out_lengths, dict(zip(states, after, strict=True))

    def _window_by_window(
        self, x: np.ndarray, lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        chunk, window = self.shape.chunk, self.shape.chunk + self.shape.lookahead
        states = self.zero_states(len(x))
        parts: list[np.ndarray] = []
        for start in range(0, int(lengths.max()), chunk):
            rows = np.flatnonzero(lengths > start)
            own = {name: state[:, rows] for name, state in states.items()}
            left = np.minimum(lengths[rows] - start, window)
            part, _, after = self.step(x[rows, start : start + window], left, own)
            for name, state in after.items():
                states[name][:, rows] = state
            parts.append(np.zeros((len(x), *part.shape[1:]), np.float32))
            parts[-1][rows] = part
        return np.concatenate(parts, axis=1), lengths


class OnnxStream:
    """Frames (n, F) in, natural log-probabilities (m, K) out, `seqlabel.stream.NetworkStream`.

    The graph always runs over the same minimum number of frames, so that the pieces do not change
    the outputs, bit for bit.
    """

    def __init__(self, network: OnnxNetwork) -> None:
        self._network = network
        shape = network.shape
        self._step = shape.chunk or shape.subsample
        self._window = self._step + shape.lookahead
        self._frames: np.ndarray
        self._labels = network.session.get_outputs()[0].shape[2]
        self.reset()

    def push(self, x: np.ndarray) -> np.ndarray:
        """The outputs that further frames determine."""
        self._frames = np.concatenate([self._frames, x]) if len(self._frames) else x
        return self._run(self._window)

    def finish(self) -> np.ndarray:
        """The remaining outputs; then it is reset."""
        outputs = self._run(1)
        self.reset()
        return outputs

    def reset(self) -> None:
        """Begin another signal."""
        self._states = self._network.zero_states(1)
        self._frames = np.zeros((0, 0), np.float32)

    def _run(self, least: int) -> np.ndarray:
        """Outputs as long as there are at least so many frames."""
        parts = [np.zeros((0, self._labels), np.float32)]
        start = 0
        while len(self._frames) - start >= least:
            window = self._frames[start : start + self._window]
            lengths = np.array([len(window)])
            part, _, self._states = self._network.step(window[None], lengths, self._states)
            parts.append(part[0])
            start += self._step
        self._frames = self._frames[start:].copy()
        return np.concatenate(parts)


def _why_whole(shape: Shape) -> str:
    """Why a graph takes whole signals only, with the way out."""
    if shape.timed:
        return (
            "its cells need the time between frames, which streams lack; train and export one with "
            "a cell without decay"
        )
    if shape.input == "samples":
        return (
            "a graph of samples takes whole signals only; export it without --front-end for streams"
        )
    if shape.delayed:
        return (
            "a graph with criterion.delay takes whole signals only; stream with the model directory"
        )
    return (
        "it takes whole signals only; export a unidirectional one or one with chunk and lookahead, "
        "of criterion.kind = 'ctc' or 'framewise'"
    )


def _threads(setting: str) -> int:
    """OpenMP's number of threads, of nested levels (`4,2`) the outermost; 0 for one per core."""
    first = setting.partition(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def load_onnx(path: Path, device: str = "cpu") -> tuple[OnnxNetwork, Description]:
    """The network and the description of a file that `seqlabel export` wrote.

    device: "cpu", or "cuda" if onnxruntime-gpu is installed. Raises InputError for a file that is
    missing, cut off or not of seqlabel export, and if onnxruntime is missing.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such exported model; seqlabel export writes one")
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            f"{path}: onnxruntime is not installed; pip install 'seqlabel[onnx]'"
        ) from None
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}.get(str(device))
    if provider not in onnxruntime.get_available_providers():
        raise InputError(f"device {str(device)!r}: onnxruntime has no such device here; use cpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads(os.environ.get("OMP_NUM_THREADS", ""))
    options.log_severity_level = 3
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # the exceptions have no other common base
        cause = str(error).partition(" : ")[2] or str(error)
        raise InputError(
            f"{path}: onnxruntime cannot load it ({cause[:200].strip()}); copy or export it again"
        ) from None
    metadata = session.get_modelmeta().custom_metadata_map
    description = Description.of_metadata(metadata, path)
    return OnnxNetwork(session, description.shape), description
