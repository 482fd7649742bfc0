"""ONNX graphs, node by node."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

OPSET = 17
"""Version of the operators, supported by onnxruntime 1.12 and later."""

IR_VERSION = 8
"""Version of the file format that goes with these operators."""

INT32, INT64, DOUBLE, FLOAT = 6, 7, 11, 1
"""Element types, as Cast takes them."""

Value = str | np.ndarray | np.generic
"""An input of a node: the name of a value, or a constant."""


class Graph:
    """Nodes in the order in which they were added; each returns the name of its output.

    outer: the graph that this one is the body of a node in; it keeps the constants of both.
    """

    def __init__(self, name: str, outer: "Graph | None" = None) -> None:
        self.name, self._outer = name, outer
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self._count = 0
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def new_name(self, kind: str) -> str:
        """A name that no other value of the graph has."""
        self._count += 1
        return f"{self.name}.{kind}.{self._count}"

    def constant(self, array: np.ndarray | np.generic) -> str:
        """The name of a constant; equal constants are one, because weights may be used twice."""
        if self._outer is not None:
            return self._outer.constant(array)
        array = np.asarray(array, order="C")
        key = array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest()
        if key not in self._known:
            name = self._known[key] = self.new_name("constant")
            self.constants[name] = array
        return self._known[key]

    @property
    def bytes(self) -> int:
        """Size of all constants."""
        return sum(array.nbytes for array in self.constants.values())

    def node(
        self, kind: str, inputs: Sequence[Value], outputs: int = 1, **options: Any
    ) -> list[str]:
        """Add a node; the names of its outputs. An empty name leaves an optional input out."""
        import onnx

        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        made = [self.new_name(kind) for _ in range(outputs)]
        self.nodes.append(onnx.helper.make_node(kind, names, made, name=made[0], **options))
        return made

    def add(self, kind: str, *inputs: Value, **options: Any) -> str:
        """Add a node with one output; its name."""
        name: str = self.node(kind, inputs, **options)[0]
        return name

    def name_output(self, value: str, name: str) -> None:
        """Give a value a chosen name."""
        import onnx

        self.nodes.append(onnx.helper.make_node("Identity", [value], [name], name=name))

    def to_proto(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> "onnx.GraphProto":
        """The whole graph; inputs and outputs are declared by `tensor_info`."""
        import onnx

        tensors = [onnx.numpy_helper.from_array(a, name) for name, a in self.constants.items()]
        return onnx.helper.make_graph(self.nodes, self.name, inputs, outputs, tensors)


def integers(*numbers: int) -> np.ndarray:
    """A constant int64 vector, such as axes, shapes and places are given by."""
    return np.array(numbers, dtype=np.int64)


def tensor_info(name: str, kind: type, shape: Sequence[int | str]) -> Any:
    """The declaration of an input or output; a word in `shape` stands for any size."""
    import onnx

    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    return onnx.helper.make_tensor_value_info(name, element, list(shape))


def size_of(graph: Graph, x: str, axis: int) -> str:
    """The size of a value along an axis, as a vector of one."""
    return graph.add("Slice", graph.add("Shape", x), integers(axis), integers(axis + 1))


def numbers_up_to(graph: Graph, count: str) -> str:
    """0, 1, ... for a vector of one count."""
    end = graph.add("Squeeze", count, integers(0))
    return graph.add("Range", np.int64(0), end, np.int64(1))


def gather_frames(
    graph: Graph, x: str, lengths: str, offsets: np.ndarray, stride: int = 1
) -> tuple[str, str]:
    """Stack neighbouring frames at every `stride`-th frame.

    x (B, T, F), int64 lengths (B,), offsets (n,) -> (B, ceil(T / stride), n, F), and its lengths.
    Beyond a sequence's ends its first and last frames are repeated.
    """
    count = divide_up(graph, size_of(graph, x, 1), stride)
    first = graph.add("Mul", numbers_up_to(graph, count), integers(stride))
    places = graph.add("Add", graph.add("Unsqueeze", first, integers(1)), offsets[None])
    last = graph.add("Sub", graph.add("Unsqueeze", lengths, integers(1, 2)), integers(1))
    places = graph.add("Max", graph.add("Min", places, last), integers(0))  # (B, T', n)
    found = graph.add("GatherND", x, graph.add("Unsqueeze", places, integers(3)), batch_dims=1)
    return found, divide_up(graph, lengths, stride)


def divide_up(graph: Graph, numbers: str, by: int) -> str:
    """ceil(numbers / by) of int64."""
    if by == 1:
        return numbers
    return graph.add("Div", graph.add("Add", numbers, integers(by - 1)), integers(by))


def inside_of(graph: Graph, x: str, lengths: str, time: int) -> str:
    """Whether a frame lies within its int64 length (B,): (B, T, 1) or, for time = 0, (T, B, 1)."""
    times = graph.add(
        "Unsqueeze", numbers_up_to(graph, size_of(graph, x, time)), integers(1 - time)
    )
    ends = graph.add("Unsqueeze", lengths, integers(time))
    return graph.add("Unsqueeze", graph.add("Less", times, ends), integers(2))
