"""Errors by person, region, length, phone class, word, and label."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain

from seqlabel.alphabet.phones import PHONE_CLASSES
from seqlabel.alphabet.units import JOINED
from seqlabel.scoring.results import Counts, Group, LabelScore, Operation, UtteranceScore

LENGTHS = (0, 5, 10, 20, 40, 80, 160)
"""Upper limits of the rows of the breakdown by reference length, in labels; the last has none."""

OWN = ("length", "class", "word")
"""Names of tables that tags must not use."""


def break_down(
    utterances: Sequence[UtteranceScore], unit: str, person: str = "speaker"
) -> dict[str, tuple[Group, ...]]:
    """All tables for which the utterances have data, each with its worst rows first.

    `person` ("speaker" or "writer") and every tag ("sex", "region", ...) split the utterances;
    "length" does so by the number of reference labels, shortest first. "class" (phones) and "word"
    (words, characters) split the labels: an insertion counts for the class that was inserted.
    """
    tables = {person: _by_utterance(utterances, lambda u: u.speaker)}
    for tag in sorted({tag for utterance in utterances for tag in utterance.tags}):
        name = f"tag {tag}" if tag in (person, *OWN) else tag
        tables[name] = _by_utterance(utterances, partial(_tag, tag))
    tables["length"] = sorted(
        _by_utterance(utterances, lambda u: _length_row(u.counts.reference_tokens)),
        key=lambda group: int(group.name.rstrip("+").split("-")[0]),
    )
    if unit == "phone":
        tables["class"] = _by_rate(_by_label(utterances, _phone_class))
    elif unit == "word":
        tables["word"] = _by_errors(_by_label(utterances, lambda op: op[1] or op[2]))
    elif unit in JOINED and any(op[1] == " " for u in utterances for op in u.ops):
        tables["word"] = _by_errors(_by_word(utterances))
    # A table with a single row would repeat the totals.
    return {name: tuple(rows) for name, rows in tables.items() if len(rows) > 1}


def count_confusions(utterances: Iterable[UtteranceScore]) -> dict[tuple[str, str], int]:
    """(reference label, hypothesis label) -> count, most frequent first; "" is no label.

    Optional labels that were left out are not counted.
    """
    counts = _operations(utterances).most_common()
    return {
        (reference, hypothesis): count
        for (code, reference, hypothesis), count in counts
        if code != "C" or hypothesis
    }


def score_labels(confusions: dict[tuple[str, str], int]) -> tuple[LabelScore, ...]:
    """Precision and recall of every label, most frequent in the references first."""
    reference: Counter[str] = Counter()
    hypothesis: Counter[str] = Counter()
    for (expected, read), count in confusions.items():
        reference[expected] += count
        hypothesis[read] += count
    scores = [
        LabelScore(label, reference[label], hypothesis[label], confusions.get((label, label), 0))
        for label in (reference.keys() | hypothesis.keys()) - {""}
    ]
    return tuple(sorted(scores, key=lambda s: (-s.reference, -s.hypothesis, s.label)))


def _by_utterance(
    utterances: Iterable[UtteranceScore], name: Callable[[UtteranceScore], str]
) -> list[Group]:
    groups: dict[str, list[Counts]] = defaultdict(list)
    for utterance in utterances:
        groups[name(utterance)].append(utterance.counts)
    if groups.keys() == {""}:
        return []
    return _by_rate(
        [
            Group(key or "(not named)", len(counts), Counts.total(counts))
            for key, counts in groups.items()
        ]
    )


def _by_rate(groups: list[Group]) -> list[Group]:
    return sorted(groups, key=lambda g: (-g.counts.rate, -g.counts.errors, g.name))


def _by_errors(groups: list[Group]) -> list[Group]:
    return sorted(groups, key=lambda g: (-g.counts.errors, -g.counts.rate, g.name))


def _by_label(
    utterances: Sequence[UtteranceScore], name: Callable[[Operation], str]
) -> list[Group]:
    """Groups of the operations with the same `name`."""
    tally = _operations(utterances)
    names = {op: name(op) for op in tally}
    codes: Counter[tuple[str, str]] = Counter()
    for op, count in tally.items():
        codes[names[op], op[0]] += count
    holders = Counter(key for u in utterances for key in {names[op] for op in u.ops})
    return _groups(codes, holders)


def _by_word(utterances: Iterable[UtteranceScore]) -> list[Group]:
    """Groups of the character operations that belong to the same reference word."""
    codes: Counter[tuple[str, str]] = Counter()
    holders: Counter[str] = Counter()
    for utterance in utterances:
        words = _words(utterance.ops)
        codes.update((word, op[0]) for word, op in words)
        holders.update({word for word, _ in words})
    return _groups(codes, holders)


def _groups(codes: Counter[tuple[str, str]], holders: Counter[str]) -> list[Group]:
    return [
        Group(name, holders[name], Counts(*(codes[name, code] for code in "CSDI")))
        for name in holders
    ]


def _operations(utterances: Iterable[UtteranceScore]) -> Counter[Operation]:
    return Counter(chain.from_iterable(utterance.ops for utterance in utterances))


def _tag(name: str, utterance: UtteranceScore) -> str:
    return utterance.tags.get(name, "")


def _words(ops: Sequence[Operation]) -> list[tuple[str, Operation]]:
    """Every character operation with the reference word it belongs to.

    The spaces between words belong to none; an inserted character belongs to the word before it
    (at the beginning, to the word after it).
    """
    words: list[tuple[str, list[Operation]]] = [("", [])]
    fresh = False
    for op in ops:
        if op[1] == " ":
            fresh = True
            continue
        if op[1] and fresh and words[-1][0]:
            words.append(("", []))
        fresh = fresh and not op[1]
        word, members = words[-1]
        members.append(op)
        words[-1] = (word + op[1], members)
    return [(word, op) for word, members in words if word for op in members]


def _phone_class(op: Operation) -> str:
    return PHONE_CLASSES.get(op[1] or op[2], "other")


def _length_row(length: int) -> str:
    low = 0
    for high in LENGTHS:
        if length <= high:
            return f"{low}-{high}" if high > low else str(high)
        low = high + 1
    return f"{low}+"
