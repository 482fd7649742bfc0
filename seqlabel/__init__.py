"""seqlabel: speech into phones or letters, pen strokes into text, by LSTM networks and CTC.

`seqlabel.load(EXP)` gives a `Recognizer`; the parts are in `seqlabel.alphabet`, `inputs`,
`features`, `lstm`, `models`, `decoding`, `scoring` and `training`.
"""

from typing import TYPE_CHECKING, Any

from seqlabel.compile_cache import choose_compile_cache

if TYPE_CHECKING:
    from seqlabel.inputs import Ink
    from seqlabel.recognizer import Recognizer, load

__version__ = "0.1.0"
__all__ = ["Ink", "Recognizer", "__version__", "load"]

_HOMES = {
    "Ink": "seqlabel.inputs",
    "Recognizer": "seqlabel.recognizer",
    "load": "seqlabel.recognizer",
}

choose_compile_cache()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    # torch is imported only if needed: `seqlabel score` starts without it.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'seqlabel' has no attribute {name!r}")
