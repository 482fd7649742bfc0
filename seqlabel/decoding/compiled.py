"""How the kernels of the decoders are compiled."""

from functools import partial

from numba import njit
from numba.core.options import DefaultOptions

_UNCOUNTED = {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}

kernel = partial(njit, nogil=True, **_UNCOUNTED)
"""`numba.njit` for code that allocates no array: without reference counts.

What calls a kernel holds its arrays. numba nevertheless counts every array that passes into a
function or out of a tuple, atomically, which took three quarters of a search with a language model.
"""
