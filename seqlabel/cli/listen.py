"""seqlabel listen: recognise speech while it is spoken."""

import argparse
import json
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from seqlabel.cli.decoders import add_decoder_arguments, make_decoder

if TYPE_CHECKING:
    import numpy as np

    from seqlabel.decoding import Result
    from seqlabel.stream import Stream

HELP = "recognise speech from a microphone or a pipe while it is spoken"

BLOCK = 0.02
"""Seconds of a file that are read at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Recognise speech while it is spoken: raw samples on standard input, or a microphone if "
        "standard input is a terminal. Each utterance, ended by a silence, is a line of output. "
        "On a terminal the current utterance is shown as far as it is recognised."
    )
    parser.add_argument(
        "model",
        type=Path,
        metavar="EXP",
        help="model directory, or the name of a model that comes with seqlabel",
    )
    source = parser.add_argument_group("source").add_mutually_exclusive_group()
    source.add_argument("--file", type=Path, metavar="F", help="an audio file")
    source.add_argument(
        "--microphone",
        nargs="?",
        const="",
        metavar="NAME",
        help="this microphone (part of its name)",
    )
    parser.add_argument(
        "--rate",
        type=int,
        metavar="HZ",
        help="sampling rate of standard input (default: the model's)",
    )
    parser.add_argument(
        "--format",
        choices=("s16le", "f32le"),
        help="sample format of standard input (default s16le)",
    )
    parser.add_argument("--paced", action="store_true", help="read --file at the speed of speech")
    parser.add_argument(
        "--json", action="store_true", help="print JSON objects: one per change, one per utterance"
    )
    parser.add_argument(
        "--silence", type=float, default=1.0, metavar="S",
        help="seconds of silence that end an utterance (default 1; 0: the input is one utterance)",
    )  # fmt: skip
    add_decoder_arguments(parser)


def main(args: argparse.Namespace) -> int | None:
    from seqlabel.errors import InputError
    from seqlabel.recognizer import load
    from seqlabel.stream import Endpoints

    _check(args)
    recognizer = load(args.model)
    if recognizer.kind != "speech" or recognizer.rate is None:
        raise InputError(f"{args.model}: a model of ink; seqlabel listen needs a model of speech")
    decoder, _ = make_decoder(args, recognizer)
    endpoints = Endpoints(trailing=args.silence) if args.silence else None
    stream = recognizer.stream(decoder, endpoints)  # type: ignore[arg-type]
    blocks = _blocks(args, recognizer.rate)
    display = _Display(sys.stdout, args.json)
    try:
        _listen(stream, blocks, display, recognizer.rate)
    except KeyboardInterrupt:
        _end(stream, display)
        print("seqlabel listen: stopped", file=sys.stderr)
        return 130
    except InputError:
        _end(stream, display)  # what was recognised before the fault
        raise
    display.final(stream.finish())
    return 0


def _listen(
    stream: "Stream", blocks: Iterator["np.ndarray"], display: "_Display", rate: int
) -> None:
    count = 0
    for samples in _interruptible(blocks):
        for result in stream.push(samples):
            display.final(result)
        count += len(samples)
        if display.shows_partial:
            display.partial(stream.partial(), stream.stable, count / rate)


def _interruptible(blocks: Iterator["np.ndarray"]) -> Iterator["np.ndarray"]:
    """The blocks. Ctrl-C ends them while waiting for one, not while one is processed."""
    waiting, heard = True, False

    def note(number: int, frame: object) -> None:
        nonlocal heard
        heard = True
        if waiting:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        for block in blocks:
            waiting = False
            yield block
            waiting = True
            if heard:
                raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


def _end(stream: "Stream", display: "_Display") -> None:
    """Show what was recognised of a signal that breaks off."""
    from seqlabel.errors import InputError

    try:
        result = stream.finish()
    except InputError:  # there was no frame yet
        return
    display.final(result)


class _Display:
    """Utterances as lines, and the current one so far on a terminal or as JSON."""

    def __init__(self, out: TextIO, as_json: bool) -> None:
        self._out, self._json = out, as_json
        self._shown = ""
        self.shows_partial = as_json or out.isatty()

    def partial(self, result: "Result", stable: tuple[str, ...], seconds: float) -> None:
        """The labelling so far, `seconds` into the signal, if it has changed."""
        from seqlabel.errors import one_line

        if result.text == self._shown:
            return
        self._shown = result.text
        if self._json:
            self._object(
                {"partial": result.text, "stable": len(stable), "seconds": round(seconds, 3)}
            )
        else:
            width = shutil.get_terminal_size().columns - 1
            text = one_line(result.text)
            shown = text if len(text) <= width else "…" + text[len(text) - width + 1 :]
            self._write(f"\r\x1b[K{shown}")

    def final(self, result: "Result") -> None:
        """A finished utterance; one without labels prints no line."""
        from seqlabel.errors import one_line

        shown, self._shown = self._shown, ""
        clear = "\r\x1b[K" if self.shows_partial and not self._json else ""
        if not result.labels:
            if shown:
                self._write(clear)
        elif self._json:
            self._object(result.to_json())
        else:
            self._write(f"{clear}{one_line(result.text)}\n")

    def _object(self, value: dict[str, object]) -> None:
        self._write(json.dumps(value, ensure_ascii=False) + "\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _check(args: argparse.Namespace) -> None:
    """Raise InputError for options that exclude each other."""
    from seqlabel.errors import InputError

    if args.paced and args.file is None:
        raise InputError("--paced needs --file: live speech has its own speed")
    given = [name for name in ("rate", "format") if getattr(args, name) is not None]
    if given and (args.file is not None or args.microphone is not None):
        raise InputError(f"--{given[0]} is for raw samples on standard input only: leave it out")
    if not args.silence >= 0:
        raise InputError(f"--silence {args.silence}: must not be negative")


def _blocks(args: argparse.Namespace, rate: int) -> Iterator["np.ndarray"]:
    """The samples of the chosen source."""
    from seqlabel.errors import InputError
    from seqlabel.inputs.microphone import record
    from seqlabel.inputs.pcm import read_pcm

    if args.file is not None:
        return _file_blocks(args.file, rate, args.paced)
    if args.microphone is not None or sys.stdin.isatty():
        if args.rate or args.format:
            raise InputError(
                "--rate and --format describe piped samples, but standard input is a terminal"
            )
        return record(rate, args.microphone or None)
    if args.rate not in (None, rate):
        raise InputError(
            f"--rate {args.rate}: the model reads {rate} samples per second; convert them before "
            f"the pipe (ffmpeg -f {args.format or 's16le'} -ar {args.rate} -ac 1 -i - "
            f"-f s16le -ar {rate} -)"
        )
    return read_pcm(sys.stdin.buffer, "standard input", args.format or "s16le")


def _file_blocks(path: Path, rate: int, paced: bool) -> Iterator["np.ndarray"]:
    from seqlabel.inputs import read_audio

    samples = read_audio(path, rate).samples
    size, started = max(1, int(BLOCK * rate)), time.monotonic()
    for first in range(0, len(samples), size):
        if paced:
            time.sleep(max(0.0, started + (first + size) / rate - time.monotonic()))
        yield samples[first : first + size]
