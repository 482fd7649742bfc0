"""Import torchaudio, without its compiled extension where that cannot load.

Tests and benchmarks compare features, resampling and losses with torchaudio's.

The torchaudio wheel on PyPI links CUDA libraries. Beside a CPU-only torch `import torchaudio`
raises OSError (libc10_cuda.so), beside a torch built for another CUDA version RuntimeError. Yet
torchaudio runs without the extension: `torchaudio._extension` finds no library in a source build,
says so in two flags, and `functional`, `transforms` and `compliance.kaldi` go on in plain torch.
This module puts those flags there itself after a failed import.

    from torchaudio_guard import torchaudio
"""

import functools
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def _extension_off() -> ModuleType:
    """A stand-in for `torchaudio._extension` as it is when no compiled library was found."""

    def unavailable(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError(f"torchaudio's {function.__name__} needs its compiled extension")

        return refuse

    def missing(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return False if name.startswith("_IS_") else unavailable

    stub = ModuleType("torchaudio._extension")
    # Which flags and checks there are differs from version to version.
    stub.__getattr__ = missing  # type: ignore[method-assign]
    stub._load_lib = lambda lib: False  # type: ignore[attr-defined]
    return stub


def import_torchaudio() -> ModuleType:
    """torchaudio, with the compiled extension where it loads and without it where it does not.

    Raises ModuleNotFoundError when torchaudio is not installed.
    """
    try:
        return importlib.import_module("torchaudio")
    except ModuleNotFoundError:
        raise
    except (ImportError, OSError, RuntimeError):
        sys.modules["torchaudio._extension"] = _extension_off()
        return importlib.import_module("torchaudio")


torchaudio = import_torchaudio()
