"""Vectors of float32 as wide as the registers of this processor, for kernels written lane by lane.

The compiler's own vector loops treat what is left over at the end of a row number by number, and
check at its start whether the rows overlap; on rows of a few dozen numbers both take longer than
the rest. Here a loop takes `WIDTH` numbers a step, and the last step masks the lanes past the end.

`load` and `store` may touch masked lanes too, which is fast on every processor: their arrays belong
to one thread and have `WIDTH` numbers to spare. Functions named `inside`, and those of rows, touch
none. A tuple of vectors is a tile of registers.
"""

import operator
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import models, overload, register_model


def _width() -> int:
    features = llvm.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx") else 4


intrinsic: Any = extending.intrinsic  # its functions are called without their first argument

WIDTH = _width()
_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_BITS = ir.VectorType(ir.IntType(1), WIDTH)
_FAST = ("contract", "reassoc", "nsz", "arcp", "afn")  # as the options of `gates.py`


class _Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"lanes{WIDTH}")


class _Mask(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"mask{WIDTH}")


_lanes, _mask = _Lanes(), _Mask()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _VECTOR)


@register_model(_Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _BITS)


def _splat(builder, value, kind=_VECTOR):
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)


def _at(builder, address, kind):
    return builder.inttoptr(address, kind.as_pointer())


@intrinsic
def everywhere(typingctx, value):
    """A float32 in all lanes."""

    def generate(context, builder, signature, args):
        number = context.cast(builder, args[0], signature.args[0], types.float32)
        return _splat(builder, number)

    return _lanes(value), generate


@intrinsic
def up_to(typingctx, count):
    """The mask of the first `count` lanes."""

    def generate(context, builder, signature, args):
        i64 = ir.IntType(64)
        full = builder.icmp_signed("<", i64(WIDTH), args[0])
        count = builder.select(full, i64(WIDTH), args[0])
        bits = builder.sub(builder.shl(i64(1), count), i64(1))
        return builder.bitcast(builder.trunc(bits, ir.IntType(WIDTH)), _BITS)

    return _mask(types.int64), generate


@intrinsic
def load(typingctx, address, mask):
    """Lanes from an address; 0 where masked."""

    def generate(context, builder, signature, args):
        value = builder.load(_at(builder, args[0], _VECTOR), align=4)
        return builder.select(args[1], value, ir.Constant(_VECTOR, [0.0] * WIDTH))

    return _lanes(types.int64, _mask), generate


@intrinsic
def store(typingctx, address, value, mask):
    """Lanes to an address; where masked, what is there stays."""

    def generate(context, builder, signature, args):
        place = _at(builder, args[0], _VECTOR)
        value = builder.select(args[2], args[1], builder.load(place, align=4))
        builder.store(value, place, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, _lanes, _mask), generate


@intrinsic
def zeros(typingctx, parts):
    """A tuple of as many vectors of zeros as the tuple `parts` has items."""

    def generate(context, builder, signature, args):
        values = [ir.Constant(_VECTOR, [0.0] * WIDTH)] * len(parts)
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(_lanes, len(parts))(parts), generate


@intrinsic
def spread(typingctx, address, parts):
    """A tuple of as many vectors as `parts` has items, each one of the floats from an address."""

    def generate(context, builder, signature, args):
        place = _at(builder, args[0], ir.FloatType())
        values = [
            _splat(builder, builder.load(builder.gep(place, [ir.IntType(64)(g)])))
            for g in range(len(parts))
        ]
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(_lanes, len(parts))(types.int64, parts), generate


@intrinsic
def add_products(typingctx, sums, weights, address):
    """Each sum plus its weight, a float from `weights`, times the vector at an address."""

    def generate(context, builder, signature, args):
        place = _at(builder, args[1], ir.FloatType())
        value = builder.load(_at(builder, args[2], _VECTOR), align=4)
        found = []
        for g in range(len(sums)):
            weight = builder.load(builder.gep(place, [ir.IntType(64)(g)]))
            product = builder.fmul(_splat(builder, weight), value, flags=_FAST)
            found.append(builder.fadd(builder.extract_value(args[0], g), product, flags=_FAST))
        return context.make_tuple(builder, signature.return_type, found)

    return sums(sums, types.int64, types.int64), generate


@intrinsic
def store_all(typingctx, address, values, stride):
    """Whole vectors of a tuple, `stride` floats apart."""

    def generate(context, builder, signature, args):
        place = _at(builder, args[0], ir.FloatType())
        for g in range(len(values)):
            entry = builder.gep(place, [builder.mul(args[2], ir.IntType(64)(g))])
            entry = builder.bitcast(entry, _VECTOR.as_pointer())
            builder.store(builder.extract_value(args[1], g), entry, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, values, types.int64), generate


def _masked(builder, name, result, kinds):
    """LLVM's load or store that touches no masked lane."""
    function = ir.FunctionType(result, kinds)
    return cgutils.get_or_insert_function(
        builder.module, function, f"llvm.masked.{name}.v{WIDTH}f32.p0"
    )


def _row_places(builder, origin, stride, numbers, count):
    """Addresses of the first floats of WIDTH rows with numbers from an address; from the `count`th
    on, that of the last row.
    """
    i64 = ir.IntType(64)
    first, place = _at(builder, origin, ir.FloatType()), _at(builder, numbers, i64)
    last = builder.sub(count, i64(1))
    for n in range(WIDTH):
        inside = builder.icmp_signed("<", i64(n), count)
        number = builder.load(builder.gep(place, [builder.select(inside, i64(n), last)]))
        yield inside, builder.gep(first, [builder.mul(number, stride)])


@intrinsic
def load_inside(typingctx, address, mask):
    """As `load`, but masked lanes are not touched: the array may end there."""

    def generate(context, builder, signature, args):
        return _load_inside(builder, _at(builder, args[0], _VECTOR), args[1])

    return _lanes(types.int64, _mask), generate


@intrinsic
def store_inside(typingctx, address, value, mask):
    """As `store`, but masked lanes are not touched: another thread may write there."""

    def generate(context, builder, signature, args):
        _store_inside(builder, args[1], _at(builder, args[0], _VECTOR), args[2])
        return context.get_dummy_value()

    return types.void(types.int64, _lanes, _mask), generate


def _load_inside(builder, place, mask):
    kinds = [ir.PointerType(), ir.IntType(32), _BITS, _VECTOR]
    function = _masked(builder, "load", _VECTOR, kinds)
    zero = ir.Constant(_VECTOR, [0.0] * WIDTH)
    return builder.call(function, [place, ir.IntType(32)(4), mask, zero])


def _store_inside(builder, vector, place, mask):
    kinds = [_VECTOR, ir.PointerType(), ir.IntType(32), _BITS]
    function = _masked(builder, "store", ir.VoidType(), kinds)
    builder.call(function, [vector, place, ir.IntType(32)(4), mask])


_PLACES = (types.int64,) * 4
_MATRIX = types.UniTuple(_lanes, WIDTH)


@intrinsic
def load_rows(typingctx, origin, stride, numbers, count, mask):
    """WIDTH vectors from rows `stride` floats apart, with numbers (int64) from an address; from the
    `count`th on the last again. Masked lanes are 0 and not touched: the array may end there.
    """

    def generate(context, builder, signature, args):
        vectors = [
            _load_inside(builder, place, args[4]) for _, place in _row_places(builder, *args[:4])
        ]
        return context.make_tuple(builder, signature.return_type, vectors)

    return _MATRIX(*_PLACES, _mask), generate


@intrinsic
def store_rows(typingctx, origin, stride, numbers, count, mask, vectors):
    """The first `count` vectors to the rows of `load_rows`. Masked lanes are not touched: another
    thread may write there.
    """

    def generate(context, builder, signature, args):
        for n, (inside, place) in enumerate(_row_places(builder, *args[:4])):
            with builder.if_then(inside):
                vector = builder.extract_value(args[5], n)
                _store_inside(builder, vector, place, args[4])
        return context.get_dummy_value()

    return types.void(*_PLACES, _mask, _MATRIX), generate


@intrinsic
def add_each(typingctx, a, b):
    """Two tuples of vectors, added one by one."""

    def generate(context, builder, signature, args):
        pairs = [[builder.extract_value(side, n) for side in args] for n in range(len(a))]
        sums = [builder.fadd(*pair, flags=_FAST) for pair in pairs]
        return context.make_tuple(builder, signature.return_type, sums)

    return a(a, a), generate


@intrinsic
def transposed(typingctx, vectors):
    """WIDTH vectors as the columns of a square matrix instead of its rows."""

    def generate(context, builder, signature, args):
        index = ir.VectorType(ir.IntType(32), WIDTH)
        halves = [
            ir.Constant(index, [n // 2 + WIDTH * (n % 2) for n in range(start, start + WIDTH)])
            for start in (0, WIDTH)
        ]
        matrix = [builder.extract_value(args[0], n) for n in range(WIDTH)]
        for _ in range(WIDTH.bit_length() - 1):  # deals the rows out like two halves of a deck
            pairs = zip(matrix[: WIDTH // 2], matrix[WIDTH // 2 :], strict=True)
            matrix = [builder.shuffle_vector(a, b, half) for a, b in pairs for half in halves]
        return context.make_tuple(builder, signature.return_type, matrix)

    return _MATRIX(_MATRIX), generate


@intrinsic
def within(typingctx, value, bound):
    """Lanes no larger than a bound in magnitude; NaN stays."""

    def generate(context, builder, signature, args):
        x, high = args[0], _splat(builder, args[1])
        low = builder.fsub(ir.Constant(_VECTOR, [0.0] * WIDTH), high)
        x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
        return builder.select(builder.fcmp_ordered("<", x, low), low, x)

    return _lanes(_lanes, types.float32), generate


def _operator(symbol: Any, name: str) -> None:
    @intrinsic
    def both(typingctx, a, b):
        def generate(context, builder, signature, args):
            return getattr(builder, name)(*args, flags=_FAST)

        return _lanes(_lanes, _lanes), generate

    @overload(symbol, inline="never")
    def typed(a, b):
        if isinstance(a, _Lanes) and isinstance(b, _Lanes):
            return lambda a, b: both(a, b)
        if isinstance(a, _Lanes) and b == types.float32:
            return lambda a, b: both(a, everywhere(b))
        if a == types.float32 and isinstance(b, _Lanes):
            return lambda a, b: both(everywhere(a), b)
        return None


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, _name)
