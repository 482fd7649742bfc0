"""Alignments against enumeration, against edit distances, and against published examples."""

from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from seqlabel.errors import InputError
from seqlabel.report.text import alignment_lines
from seqlabel.scoring import align, align_all, alignment
from seqlabel.scoring.alignment import Pairs
from seqlabel.scoring.results import UtteranceScore

SEQUENCES = st.lists(st.sampled_from("abcd"), max_size=6).map(tuple)


def all_alignments(reference, hypothesis):
    """Every way to pair two sequences up, as lists of (code, reference, hypothesis)."""
    if not reference and not hypothesis:
        yield ()
    if reference:
        for rest in all_alignments(reference[1:], hypothesis):
            yield (("D", reference[0], ""), *rest)
    if hypothesis:
        for rest in all_alignments(reference, hypothesis[1:]):
            yield (("I", "", hypothesis[0]), *rest)
    if reference and hypothesis:
        code = "C" if reference[0] == hypothesis[0] else "S"
        for rest in all_alignments(reference[1:], hypothesis[1:]):
            yield ((code, reference[0], hypothesis[0]), *rest)


def by_hand(reference, hypothesis, costs, optional=frozenset()):
    """The alignment of least cost, ties broken by sclite's rule, by recursion from the end.

    costs: (substitution, gap, optional gap), tuples of what is minimised first, second, ...
    """
    substitution, gap, omission = costs
    nothing = (0,) * len(gap)

    @cache
    def best(i, j):
        if i == 0 and j == 0:
            return nothing, ()
        pair = gone = added = ((10**9,), ())
        if i:
            free = reference[i - 1] in optional
            op = ("C" if free else "D", reference[i - 1], "")
            gone = extended(best(i - 1, j), omission if free else gap, op)
        if j:
            added = extended(best(i, j - 1), gap, ("I", "", hypothesis[j - 1]))
        if i and j:
            same = reference[i - 1] == hypothesis[j - 1]
            op = ("C" if same else "S", reference[i - 1], hypothesis[j - 1])
            pair = extended(best(i - 1, j - 1), nothing if same else substitution, op)
        if pair[0] <= gone[0] and pair[0] <= added[0]:
            return pair
        return gone if gone[0] < added[0] else added

    def extended(part, cost, op):
        return tuple(map(sum, zip(part[0], cost, strict=True))), (*part[1], op)

    return best(len(reference), len(hypothesis))[1]


BY_HAND = {
    "sclite": ((4,), (3,), (2,)),
    "unit": ((1, 1), (1, 0), (0, 0)),  # errors, then substitutions
}


def cost_of(ops, substitution, gap):
    return sum({"C": 0, "S": substitution, "D": gap, "I": gap}[code] for code, _, _ in ops)


@settings(max_examples=60, deadline=None)
@given(SEQUENCES, SEQUENCES)
def test_costs_are_minimal_among_all_alignments(reference, hypothesis):
    every = list(all_alignments(reference[:5], hypothesis[:5]))
    found = align(reference[:5], hypothesis[:5], "sclite")
    assert found.ops in every
    assert cost_of(found.ops, 4, 3) == min(cost_of(ops, 4, 3) for ops in every)
    unit = align(reference[:5], hypothesis[:5], costs="unit")
    fewest = min(cost_of(ops, 1, 1) for ops in every)
    assert unit.ops in every
    assert unit.counts.errors == fewest
    # Of the alignments with the fewest errors it is one with the most labels correct.
    assert unit.counts.correct == max(
        sum(code == "C" for code, _, _ in ops) for ops in every if cost_of(ops, 1, 1) == fewest
    )


@settings(max_examples=200, deadline=None)
@given(
    SEQUENCES,
    SEQUENCES,
    st.sampled_from([frozenset(), frozenset("a"), frozenset("ab")]),
    st.sampled_from(list(BY_HAND)),
)
def test_ties_are_broken_as_by_sclite(reference, hypothesis, optional, costs):
    found = align(reference, hypothesis, costs, optional)
    assert found.ops == by_hand(reference, hypothesis, BY_HAND[costs], optional)


LONGER = st.lists(st.sampled_from("abc"), max_size=14)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(LONGER, LONGER), max_size=4),
    st.sampled_from([frozenset(), frozenset("a")]),
    st.sampled_from(["unit", "sclite"]),
)
@example([("cde", "abc"), ("abc", "cde")], frozenset(), "unit")  # three pairs cost four gaps
@example([("caa", "ac")], frozenset("a"), "unit")  # one substitution, and other errors for sclite
@example([("caa", "ac")], frozenset("a"), "sclite")
def test_errors_under_the_other_costs_are_those_of_its_alignments(pairs, optional, costs):
    both = Pairs([r for r, _ in pairs], [h for _, h in pairs], optional)
    assert both.errors_by_costs(both.align(costs), costs) == {
        name: sum(one.counts.errors for one in both.align(name)) for name in ("sclite", "unit")
    }


def test_where_sclites_costs_count_one_error_more(edit_distance):
    """Five substitutions cost 20, three deletions and three insertions only 18."""
    reference, hypothesis = "aaabb", "bbcca"
    counts = {name: align(reference, hypothesis, name).counts for name in ("unit", "sclite")}
    assert counts["unit"].errors == edit_distance(reference, hypothesis)
    assert (counts["unit"].substitutions, counts["unit"].errors) == (5, 5)
    assert (counts["sclite"].substitutions, counts["sclite"].errors) == (0, 6)


@pytest.mark.parametrize("costs", ["unit", "sclite"])
def test_errors_that_differ_are_found_from_either_side(costs):
    both = Pairs(["aaabb", "ab"], ["bbcca", "ab"])
    assert both.errors_by_costs(both.align(costs), costs) == {"sclite": 6, "unit": 5}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.text(max_size=2)), st.lists(st.text(max_size=2))), max_size=5)
)
def test_unit_costs_count_the_edit_distance_of_any_input(edit_distance, pairs):
    found = align_all([r for r, _ in pairs], [h for _, h in pairs], "unit")
    assert len(found) == len(pairs)
    for (reference, hypothesis), one in zip(pairs, found, strict=True):
        assert one.counts.errors == edit_distance(reference, hypothesis)
        number = {label: n for n, label in enumerate({*reference, *hypothesis})}  # see below
        assert one.counts.errors == Levenshtein.distance(
            [number[label] for label in reference], [number[label] for label in hypothesis]
        )
        assert [r for code, r, _ in one.ops if code != "I"] == reference
        assert [h for code, _, h in one.ops if code != "D"] == hypothesis


@settings(max_examples=100, deadline=None)
@given(SEQUENCES, SEQUENCES)
def test_edit_distances_agree(plain_edit_distance, edit_distance, reference, hypothesis):
    plain = plain_edit_distance(reference, hypothesis)
    assert plain == edit_distance(reference, hypothesis)
    assert plain == Levenshtein.distance(reference, hypothesis)


def test_an_empty_label_is_a_label():
    """rapidfuzz takes "" and "\\0" for the same, which is why it is given numbers above."""
    assert align([""], ["\0"]).counts.substitutions == 1
    assert align([""], [""]).ops == (("C", "", ""),)


@settings(max_examples=100, deadline=None)
@given(SEQUENCES, SEQUENCES)
def test_counts_are_those_of_the_operations(reference, hypothesis):
    found = align(reference, hypothesis, optional=frozenset("a"))
    codes = [code for code, _, _ in found.ops]
    counts = found.counts
    assert [codes.count(code) for code in "CSDI"] == [
        counts.correct, counts.substitutions, counts.deletions, counts.insertions,
    ]  # fmt: skip
    assert counts.reference_tokens == len(reference)


def test_pairs_do_not_influence_each_other():
    pairs = [("abc", "abd"), ("", "aa"), ("aaaaaaa", ""), ("b", "b"), ("", "")]
    together = align_all([r for r, _ in pairs], [h for _, h in pairs])
    assert together == [align(r, h) for r, h in pairs]
    assert align_all([], []) == []


def test_equal_operations_are_one_object():
    found = align_all(["ab", "ab"], ["ab", "ac"])
    assert found[0].ops[0] is found[1].ops[0]


def test_an_optional_label_left_out_is_correct():
    found = align(["sil", "aa", "sil"], ["aa"], optional=frozenset({"sil"}))
    assert found.ops == (("C", "sil", ""), ("C", "aa", "aa"), ("C", "sil", ""))
    assert (found.counts.errors, found.counts.reference_tokens) == (0, 3)
    inserted = align(["aa"], ["sil", "aa"], optional=frozenset({"sil"}))
    assert inserted.counts.insertions == 1


def test_too_long_a_pair_is_refused_before_memory_is_taken(monkeypatch):
    monkeypatch.setattr(alignment, "_LARGEST", 100)
    with pytest.raises(InputError, match="split"):
        align("a" * 20, "b" * 20)


def test_alignments_of_two_gigabytes_are_the_largest():
    Pairs(["b", "a" * 46339], ["", "a" * 46339])  # 46340 rows and columns, 2^31 - 88048 cells
    with pytest.raises(InputError, match=r"needs 2.1e\+09 cells; split it"):
        Pairs(["b", "a" * 46340], ["", "a" * 46340])


# sclite's documentation, the report "pralign" (SCTK, doc/outputs.htm).
SCLITE = [
    (
        "for a two trillion dollar business built on public confidence this trend is disheartening "
        "at best and downright dangerous at worst",
        "freed to trying to lure business built on public confidence this trend is this tightening "
        "and best and downright dangerous at worst",
        (14, 7, 0, 1),
        "SSSSSCCCCCCCCISSCCCCCC",
    ),
    (
        "so far this year the industry slide has been apparent in allegations of insider trading "
        "by fund managers unsavory fund sales practices at banks and the use of high risk "
        "derivative securities in normally conservative money market funds",
        "so far this year the industry slide has been apparent in allegations of insider trading "
        "by fund managers and save refund sales practices at banks and use of high risk "
        "derivative securities in early conservative money market funds",
        (34, 3, 1, 1),
        "CCCCCCCCCCCCCCCCCCISSCCCCCDCCCCCCCSCCCC",
    ),
    (
        "i find that the young women have lost so much because they have become more aggressive "
        "and more dominating",
        "are fine but the young women have lost so much too because they have become more "
        "aggressive and more jobs needing",
        (15, 4, 0, 2),
        "SSSCCCCCCCICCCCCCCCIS",
    ),
]


@pytest.mark.parametrize(("reference", "hypothesis", "counts", "codes"), SCLITE)
def test_the_worked_examples_of_sclite(reference, hypothesis, counts, codes):
    found = align(reference.split(), hypothesis.split(), "sclite")
    c = found.counts
    assert (c.correct, c.substitutions, c.deletions, c.insertions) == counts
    assert "".join(code for code, _, _ in found.ops) == codes


# jiwer's documentation, docs/usage.md and visualize_alignment.
JIWER = [
    ("short one here", "shoe order one", "ISCD"),
    ("quite a bit of longer sentence", "quite bit of an even longest sentence here", "CDCCIISCI"),
    (
        "This is a very long sentence that is much longer than the previous one or the one before "
        "that",
        "This is a very loong sentence that is not much longer than the previous one or one before "
        "that",
        "CCCCSCCCICCCCCCCDCCC",
    ),
]


@pytest.mark.parametrize("costs", ["unit", "sclite"])
@pytest.mark.parametrize(("reference", "hypothesis", "codes"), JIWER)
def test_the_worked_examples_of_jiwer(reference, hypothesis, codes, costs):
    found = align(reference.split(), hypothesis.split(), costs)
    assert "".join(code for code, _, _ in found.ops) == codes


def test_an_alignment_is_shown_as_sclite_shows_it():
    found = align(["the", "cat", "sat"], ["the", "hat", "sat", "on"])
    utterance = UtteranceScore("u", found.ops, found.counts)
    assert alignment_lines(utterance) == [
        "REF:  the cat sat **",
        "HYP:  the hat sat on",
        "EVAL:     S       I",
    ]
    assert alignment_lines(utterance, width=14) == [
        "REF:  the cat", "HYP:  the hat", "EVAL:     S",
        "REF:  sat **", "HYP:  sat on", "EVAL:     I",
    ]  # fmt: skip
