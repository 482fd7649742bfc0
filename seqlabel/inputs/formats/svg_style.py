"""Properties of SVG elements: presentation attributes, style sheets and `style` attributes.

SVG 2 (W3C), chapter 6, and CSS 2. Of style sheets, rules whose selectors are a tag, a class, an id
or a tag with one of these are supported.
"""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from seqlabel.errors import InputError

PROPERTIES = ("stroke", "fill", "display", "visibility")
"""Properties that decide whether a shape is a pen stroke."""

INHERITED = ("stroke", "fill", "visibility")
"""Those that elements inherit."""

_RELEVANT = (*PROPERTIES, "transform")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
_STATEMENT = re.compile(r"\s*@[^{};]*;")
_SIMPLE = re.compile(r"(\*|[A-Za-z][\w-]*)?([.#][A-Za-z_-][\w-]*)?")


class Styles:
    """The style sheets of a drawing.

    Raises InputError for a rule that sets one of the properties used here and whose selector is not
    supported, is in an at-rule, or has `!important`.
    """

    def __init__(self, root: Element) -> None:
        self._rules: dict[str, dict[str, tuple[int, str]]] = {}
        number = 0
        for element in root.iter("style"):
            for selectors, body in _blocks("".join(element.itertext())):
                declared = {n: v for n, v in declarations(body).items() if n in _RELEVANT}
                important = any("!" in value for value in declared.values())
                for selector in map(str.strip, selectors.split(",")) if declared else ():
                    if important or not selector or not _SIMPLE.fullmatch(selector):
                        raise InputError(
                            f"a style sheet with the rule {selector[:30]!r} is not supported; "
                            "write the styles as attributes"
                        )
                    key = selector.removeprefix("*") or "*"
                    for name, value in declared.items():
                        number += 1
                        self._rules.setdefault(key, {})[name] = number, value

    def of(self, element: Element) -> dict[str, str]:
        """Properties of an element itself, in lower case; `inherit` is left out.

        The attribute `style` comes first, then rules for ids, classes and tags, then attributes of
        the property's name; of equal rules the last.
        """
        found = {name: element.get(name, "").strip() for name in PROPERTIES}
        if self._rules:
            for keys in self._keys(element):
                rules = (self._rules[key] for key in keys if key in self._rules)
                numbered = sorted((n, name, v) for rule in rules for name, (n, v) in rule.items())
                found |= {name: value for _, name, value in numbered}
        found |= declarations(element.get("style", ""))
        values = ((name, value.partition("!")[0].strip().lower()) for name, value in found.items())
        return {name: value for name, value in values if value not in ("", "inherit")}

    @staticmethod
    def _keys(element: Element) -> Iterator[list[str]]:
        """Selectors that match an element, of increasing specificity."""
        tag = element.tag
        classes = [f".{name}" for name in element.get("class", "").split()]
        ids = [f"#{element.get('id', '')}"]
        yield ["*"]
        yield [tag]
        for names in (classes, ids):
            yield names
            yield [tag + name for name in names]


def declarations(text: str) -> dict[str, str]:
    """Property -> value of declarations separated by semicolons."""
    found = {}
    for declaration in _COMMENT.sub("", text).split(";"):
        name, _, value = declaration.partition(":")
        if name.strip():
            found[name.strip().lower()] = value.strip()
    return found


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """(selectors, declarations) of a style sheet; blocks of at-rules have their own as they are."""
    text = _COMMENT.sub("", text)
    place = 0
    while True:
        statement = _STATEMENT.match(text, place)
        if statement:
            place = statement.end()
            continue
        start = text.find("{", place)
        if start < 0:
            return
        end, depth = start + 1, 1
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        body = text[start + 1 : end - (not depth)]
        yield text[place:start].strip(), body.replace("{", ";").replace("}", ";")
        place = end
