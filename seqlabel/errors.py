"""The one exception for mistakes a user can mend, and text that is safe to show."""

import re

LONGEST = 500
"""Characters of a message; what was found in a file may be as long as the file."""


class InputError(ValueError):
    """Bad input: a file, an utterance, a configuration, an argument.

    The message is one line and names the file or the utterance, the cause and the way out.
    The command line prints it without a traceback and exits with 2. Characters that cannot be
    printed (a line break in a file name, a byte that is no UTF-8) are shown as escapes. Of a longer
    message than LONGEST the middle is left out: the place comes first, the way out last.
    """

    def __init__(self, message: str) -> None:
        message = one_line(message)
        if len(message) > LONGEST:
            message = f"{message[: LONGEST * 3 // 5]} ... {message[5 - LONGEST * 2 // 5 :]}"
        super().__init__(message)


def one_line(text: str) -> str:
    """`text` with every character that cannot be printed, line breaks among them, as an escape."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Characters that act instead of being seen: controls, directions, separators, tags, halves."""


def inert(text: str) -> str:
    """`text` of any origin for a terminal or a page: what would act is shown as an escape.

    That is control characters but for line ends and tabs, which move the cursor and change a
    terminal, and marks of direction, which let a text read otherwise than it is.
    """
    return _ACTING.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
