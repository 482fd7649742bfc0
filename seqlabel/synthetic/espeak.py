"""Speech of espeak-ng with its phonemes and their sample positions, through its C interface.

The library of the `espeakng-loader` wheel is driven with ctypes in its synchronous retrieval mode:
samples and events go to a callback, nothing is played. It keeps state from sentence to sentence
(phases, random numbers) that no call resets, therefore every voice speaks in a process of its own:

    python -m seqlabel.synthetic.espeak   < voice and sentences (JSON)   > samples and events (npz)

so that the samples of a voice do not depend on the other voices. Source: espeak-ng's `speak_lib.h`.
"""

import ctypes
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from seqlabel.errors import InputError

RATE = 22050
"""Samples per second of every voice used here."""


@dataclass(frozen=True)
class Voice:
    """name: an espeak voice with a variant, as `en-us+f2`. rate: words per minute.

    pitch, range: 0 to 99, 50 being the variant's own.
    """

    name: str
    rate: int = 175
    pitch: int = 50
    range: int = 50


class Event(NamedTuple):
    """The beginning of a word or a phoneme.

    sample: its position. phoneme: espeak's mnemonic with its stress mark; empty for a word.
    text: position of the word's first character in the sentence, from 0.
    """

    sample: int
    phoneme: str
    text: int


class Speech(NamedTuple):
    """A spoken sentence: (N,) int16 samples at `RATE`, and its events in order."""

    samples: np.ndarray
    events: tuple[Event, ...]


def speak(voice: Voice, sentences: Sequence[str]) -> list[Speech]:
    """Sentences (ASCII) in a voice.

    Raises InputError without the wheel `espeakng-loader` and for a voice that it does not have.
    """
    try:
        import espeakng_loader  # noqa: F401
    except ImportError:
        raise InputError(
            "synthetic speech needs espeak-ng, which is missing; pip install 'seqlabel[synth]'"
        ) from None
    request = json.dumps({"voice": asdict(voice), "sentences": list(sentences)})
    command = [sys.executable, "-m", "seqlabel.synthetic.espeak"]
    child = subprocess.run(command, input=request.encode(), capture_output=True, check=False)
    if child.returncode:
        lines = child.stderr.decode(errors="replace").split("\n")
        cause = next((line for line in reversed(lines) if line.strip()), "no reason given")
        raise InputError(f"espeak-ng, voice {voice.name}: {cause.strip()}")
    with np.load(io.BytesIO(child.stdout)) as reply:
        events = json.loads(str(reply["events"]))
        return [
            Speech(reply[f"samples{number}"], tuple(Event(*event) for event in listed))
            for number, listed in enumerate(events)
        ]


# What follows runs in the process of a voice: names and numbers of speak_lib.h.

_SYNCHRONOUS_RETRIEVAL = 2
_PHONEME_EVENTS, _DONT_EXIT = 0x0001, 0x8000
_WORD, _PHONEME, _END_OF_LIST = 1, 7, 0
_RATE, _PITCH, _RANGE = 1, 3, 4
_CHARACTERS_UTF8 = 1
_POSITION_CHARACTER = 1


class _EventId(ctypes.Union):
    _fields_ = [
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Espeak:
    """The library, initialised, with its callback."""

    def __init__(self, voice: Voice) -> None:
        import espeakng_loader

        self.library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self.chunks: list[np.ndarray] = []
        self.events: list[Event] = []
        data = str(espeakng_loader.get_data_path()).encode()
        flags = _PHONEME_EVENTS | _DONT_EXIT
        rate = self.library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, data, flags)
        if rate != RATE:
            raise SystemExit(f"cannot start (espeak_Initialize gives {rate}); reinstall the wheel")
        # Breath and other noise of a voice; by itself the library takes the time of day for a seed.
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        self.callback = _Callback(self._receive)  # kept: the library holds a bare pointer to it
        self.library.espeak_SetSynthCallback(self.callback)
        if self.library.espeak_SetVoiceByName(voice.name.encode()):
            raise SystemExit("no such voice; `espeak-ng --voices=en` lists them")
        for parameter, value in ((_RATE, voice.rate), (_PITCH, voice.pitch), (_RANGE, voice.range)):
            self.library.espeak_SetParameter(parameter, value, 0)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        number = 0
        while events[number].type != _END_OF_LIST:
            event = events[number]
            if event.type in (_WORD, _PHONEME):
                name = event.id.string.decode() if event.type == _PHONEME else ""
                self.events.append(Event(event.sample, name, event.text_position - 1))
            number += 1
        return 0

    def say(self, sentence: str) -> Speech:
        self.chunks, self.events = [], []
        text = sentence.encode("ascii") + b"\0"
        status = self.library.espeak_Synth(
            text, ctypes.c_size_t(len(text)), ctypes.c_uint(0), _POSITION_CHARACTER,
            ctypes.c_uint(0), ctypes.c_uint(_CHARACTERS_UTF8), None, None,
        )  # fmt: skip
        if status or not self.chunks:
            raise SystemExit(f"no sound for {sentence!r}")
        return Speech(np.concatenate(self.chunks), tuple(self.events))


def _main() -> None:
    request = json.load(sys.stdin.buffer)
    espeak = _Espeak(Voice(**request["voice"]))
    spoken = [espeak.say(sentence) for sentence in request["sentences"]]
    arrays = {f"samples{number}": speech.samples for number, speech in enumerate(spoken)}
    arrays["events"] = np.array(json.dumps([speech.events for speech in spoken]))
    reply = io.BytesIO()
    np.savez(reply, **arrays)  # type: ignore[arg-type]
    sys.stdout.buffer.write(reply.getvalue())


if __name__ == "__main__":
    _main()
