"""XML without entity declarations and external files."""

import os
import re
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from seqlabel.errors import InputError

DEEPEST = 200
"""Maximum depth of nested elements; ink files have about a dozen levels."""

_SECOND_ROOT = expat.errors.codes["junk after document element"]


def parse_xml(data: bytes, name: str | os.PathLike[str]) -> Element:
    """The root element of an XML document, names of elements and attributes without namespace.

    The encoding is the one the document declares. `name` begins the messages.
    Raises InputError for text that is not well-formed (cut in the middle, bytes of another
    encoding), for entity declarations (expansion bombs, external files), and for absurd nesting.
    """
    root, end = _parse(data, name, 0)
    if end < len(data):
        line = data[:end].count(b"\n") + 1
        raise InputError(f"{name}:{line}: a second root element; expected only one")
    return root


def parse_xmls(data: bytes, name: str | os.PathLike[str]) -> list[Element]:
    """The root elements of XML documents that follow one another in a file.

    A document without a declaration of its own has the encoding of the one before. Raises
    InputError as `parse_xml` does.
    """
    roots, place, declaration = [], 0, b""
    while data[place:].strip():
        part = data[place:].lstrip()
        place = len(data) - len(part)
        own = re.match(rb"<\?xml\b[^>]*\?>", part)
        declaration = own[0] if own else declaration
        prefix = b"" if own else declaration
        lines = data[:place].count(b"\n") - prefix.count(b"\n")
        root, end = _parse(prefix + part, name, lines)
        roots.append(root)
        place += end - len(prefix)
    return roots


def _parse(data: bytes, name: str | os.PathLike[str], lines: int) -> tuple[Element, int]:
    """The first root element and the place behind its document; lines: those of the file before."""
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise InputError(f"{name}: elements nested deeper than {DEEPEST}; not an ink file")
        builder.start(_local(tag), {_local(key): value for key, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_local(tag))

    def refuse(*_: Any) -> int:
        raise InputError(
            f"{name}:{lines + parser.CurrentLineNumber}: declares an XML entity, which is not "
            f"allowed; write its text instead"
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        if error.code == _SECOND_ROOT:
            return builder.close(), parser.ErrorByteIndex
        cause = expat.errors.messages[error.code]
        raise InputError(
            f"{name}:{lines + error.lineno}: not well-formed XML ({cause}); was the file cut off, "
            "or is its encoding another than declared?"
        ) from None
    except (LookupError, UnicodeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name}: the declared encoding cannot be read: {error}") from None
    return builder.close(), len(data)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
