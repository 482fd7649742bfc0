"""The exception for errors of the user, and text that is safe to show."""

import re
from collections.abc import Sequence

LONGEST = 500
"""Maximum characters of a message, which may quote from a file."""


class InputError(ValueError):
    """Bad input: a file, an utterance, a configuration, an argument.

    The message is one line with the file or utterance, the cause and the solution. The command line
    prints it without a traceback and exits with 2. Characters that cannot be printed (a line break
    in a file name, a byte that is not UTF-8) are shown as escapes. If a message is longer than
    LONGEST, its middle is left out.
    """

    def __init__(self, message: str) -> None:
        message = one_line(message)
        if len(message) > LONGEST:
            message = f"{message[: LONGEST * 3 // 5]} ... {message[5 - LONGEST * 2 // 5 :]}"
        super().__init__(message)


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The first `most` names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def one_line(text: str) -> str:
    """`text` with unprintable characters, including line breaks, as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control, direction, separator and tag characters, and unpaired surrogates."""


def inert(text: str) -> str:
    """`text` of any origin for a terminal or a page, with control characters as escapes.

    These are control characters other than line ends and tabs, which can control a terminal, and
    direction marks, which can make a text look like another.
    """
    return _ACTING.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
