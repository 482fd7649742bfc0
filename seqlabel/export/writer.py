"""The ONNX file of a trained model."""

import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from seqlabel.errors import InputError
from seqlabel.export.description import Description, Shape
from seqlabel.export.encoder import States, add_encoder, add_output_layer
from seqlabel.export.front_end import add_front_end
from seqlabel.export.graph import IR_VERSION, OPSET, Graph, tensor_info
from seqlabel.files import whole_file
from seqlabel.models.framewise import Framewise
from seqlabel.models.model import Model
from seqlabel.models.network import Encoder
from seqlabel.models.regression import Regression
from seqlabel.models.streaming import waits
from seqlabel.pretrained import resolve
from seqlabel.training.run_directory import load_model

if TYPE_CHECKING:
    import onnx

log = logging.getLogger("seqlabel")

MOST_BYTES = 2**31 - 2**20
"""Maximum bytes of constants: an ONNX file is a protobuf message of at most 2 GB."""


def export(
    folder: str | os.PathLike[str], out: str | os.PathLike[str], front_end: bool = False
) -> Description:
    """Write a model as an ONNX file, whole or not at all.

    folder: a model directory, or the name of a model that comes with seqlabel. front_end: let the
    graph take samples instead of frames. Raises InputError for a model that has no ONNX form, and
    if the package onnx is missing.
    """
    check_installed()
    path = resolve(folder)
    if path.is_file() and path.suffix == ".onnx":
        raise InputError(f"{path}: an exported model; export takes a model directory")
    experiment, alphabet, features, model = load_model(path)
    if front_end and features.options.normalise == "speaker":
        log.warning(
            "normalise = 'speaker': the graph sees one signal and takes its mean and deviation, as "
            "seqlabel read does; seqlabel decode with the model directory takes the speaker's"
        )
        features = replace(features, options=replace(features.options, normalise="utterance"))
    shape = model_shape(model, front_end)
    description = Description(alphabet, features, experiment.batches, shape)
    proto = to_onnx(model, description)
    with whole_file(out, "wb") as stream:
        stream.write(proto.SerializeToString())
    return description


def check_installed() -> None:
    """Raise InputError if the package onnx is missing."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise InputError("export needs the package onnx: pip install 'seqlabel[onnx]'") from None


def model_shape(model: Model, front_end: bool = False) -> Shape:
    """Inputs and outputs of the graph of a model.

    Unidirectional and latency-controlled networks output their states, unless the graph needs the
    whole signal for another reason.
    """
    encoder = model.encoder
    if not isinstance(encoder, Encoder):
        raise InputError("networks over pixels have no ONNX form: use the model directory")
    if isinstance(model.criterion, Regression):
        raise InputError("a regression has no ONNX form: predict with the model directory")
    options = encoder.options
    if front_end and options.chunk:
        raise InputError(
            "--front-end: a latency-controlled network takes one window of frames at a time; "
            "leave it out, then seqlabel.load computes the features"
        )
    delayed = isinstance(model.criterion, Framewise) and model.criterion.options.delay > 0
    if options.chunk and (options.timed or delayed):
        what = "cells with decay" if options.timed else "delayed outputs"
        raise InputError(
            f"{what} in chunks have no ONNX form: export a network without chunk, or use the model "
            "directory"
        )
    states: dict[str, tuple[int, int]] = {}
    most = waits(model)
    delayed = delayed and most is not None
    if front_end or delayed:
        most = None
    if most is not None:
        lower = encoder.lower
        sizes = lower.cell.state_sizes(lower.hidden_size)
        states = {
            name: (options.layers, size) for name, size in zip(lower.cell.state, sizes, strict=True)
        }
    return Shape(
        "samples" if front_end else "frames",
        options.subsample, states, options.chunk, options.lookahead,
        options.timed, most, delayed,
    )  # fmt: skip


def to_onnx(model: Model, description: Description) -> "onnx.ModelProto":
    """The graph of a model with its description; InputError for one that no file can hold."""
    import onnx

    model = model.cpu().eval()
    shape, front_end = description.shape, description.front_end
    graph = Graph("seqlabel")
    x: str = shape.input
    lengths = "lengths"
    inputs = [
        tensor_info(x, np.float32, ["B", "N"] if x == "samples" else ["B", "T", front_end.dim]),
        tensor_info(lengths, np.int64, ["B"]),
    ]
    if shape.timed:
        inputs.append(tensor_info("elapsed", np.float32, ["B", "T"]))
    for name, (layers, width) in shape.states.items():
        inputs.append(tensor_info(f"{name}0", np.float32, [layers, "B", width]))
    states = States([f"{name}0" for name in shape.states], [])
    if x == "samples":
        x, lengths = add_front_end(graph, front_end, x, lengths)
    elapsed = "elapsed" if shape.timed else None
    assert isinstance(model.encoder, Encoder)  # `model_shape` refuses others
    encoded, lengths = add_encoder(graph, model.encoder, x, lengths, states, elapsed)
    log_probs = add_output_layer(graph, model, encoded, lengths)
    graph.name_output(log_probs, "log_probs")
    graph.name_output(lengths, "output_lengths")
    alphabet = description.alphabet
    width = len(alphabet) + sum(len(below) for _, below in alphabet.levels)
    outputs = [
        tensor_info("log_probs", np.float32, ["B", "T_out", width]),
        tensor_info("output_lengths", np.int64, ["B"]),
    ]
    layers_of_state = zip(*states.final, strict=True)
    for (name, (layers, width)), final in zip(shape.states.items(), layers_of_state, strict=False):
        rows = [graph.add("Unsqueeze", state, np.array([0])) for state in final]
        graph.name_output(graph.add("Concat", *rows, axis=0), f"{name}n")
        outputs.append(tensor_info(f"{name}n", np.float32, [layers, "B", width]))
    if graph.bytes > MOST_BYTES:
        raise InputError(
            f"{graph.bytes / 1e9:.1f} GB of weights and other constants, but an ONNX file has at "
            "most 2 GB; use the model directory"
        )
    proto = onnx.helper.make_model(
        graph.to_proto(inputs, outputs),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="seqlabel",
    )
    onnx.helper.set_model_props(proto, description.to_metadata())
    onnx.checker.check_model(proto, full_check=False)
    return proto
