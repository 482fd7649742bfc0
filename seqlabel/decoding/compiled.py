"""How the kernels of the decoders are compiled."""

from functools import partial

from numba import njit
from numba.core.options import DefaultOptions

_UNCOUNTED = {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}

kernel = partial(njit, nogil=True, **_UNCOUNTED)
"""`numba.njit` for code that allocates no array: without reference counts.

The caller of a kernel owns its arrays. numba nevertheless counts, atomically, references of every
array that is passed to a function or taken out of a tuple, which took three quarters of the time of
a search with a language model.
"""
