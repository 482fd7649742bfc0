"""Alignments of several systems in one table: nothing lost, nothing shifted."""

from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel.report.html.aligned import Column, columns
from seqlabel.scoring import align

LABELS = st.lists(st.sampled_from("abc"), max_size=6)


@given(LABELS, st.lists(LABELS, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_every_system_can_be_read_off_the_columns(reference, hypotheses):
    systems = [align(reference, hypothesis).ops for hypothesis in hypotheses]
    table = columns(systems)
    assert [c.reference for c in table if c.reference] == reference
    for n, ops in enumerate(systems):
        read = [(c.read[n][0], c.reference, c.read[n][1]) for c in table if c.read[n][0]]
        assert tuple(read) == tuple(ops)
    for column in table:
        assert column.reference or any(op == "I" for op, _ in column.read)


def test_insertions_of_two_systems_share_a_column():
    first = (("C", "a", "a"), ("I", "", "x"), ("I", "", "y"), ("D", "b", ""))
    second = (("S", "a", "c"), ("I", "", "z"), ("C", "b", "b"))
    assert columns([first, None, second]) == [
        Column("a", (("C", "a"), ("", ""), ("S", "c"))),
        Column("", (("I", "x"), ("", ""), ("I", "z"))),
        Column("", (("I", "y"), ("", ""), ("", ""))),
        Column("b", (("D", ""), ("", ""), ("C", "b"))),
    ]


def test_only_errors_are_marked():
    left_out = Column("sil", (("C", ""),))  # an optional label that is missing costs nothing
    assert not left_out.wrong
    assert Column("a", (("C", "a"), ("D", ""))).wrong
