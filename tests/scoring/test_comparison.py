"""Two systems side by side: what may be compared, and what the comparison says."""

import json
from dataclasses import replace

import pytest

from seqlabel.errors import InputError
from seqlabel.scoring import Transcript, Transcripts, compare, score

REFERENCE = {f"u{n}": list("abcdef") for n in range(6)}


def report(name, wrong, reference=REFERENCE, **options):
    """A system that reads the first label of the utterances in `wrong` as x."""
    hypothesis = {
        key: ["x", *labels[1:]] if key in wrong else labels for key, labels in REFERENCE.items()
    }
    return score(reference, hypothesis, "plain", name=name, **options)


def test_the_comparison_counts_and_orders_the_differences():
    found = compare(report("one", {"u0", "u1", "u2"}), report("two", {"u2"}))
    assert (found.first, found.second, found.metric, found.utterances) == ("one", "two", "SER", 6)
    assert found.difference == pytest.approx(-2 / 36)
    assert [(d.id, d.first_errors, d.second_errors) for d in found.differing] == [
        ("u0", 1, 0), ("u1", 1, 0),
    ]  # fmt: skip
    assert [test.name for test in found.tests] == ["mapsswe", "sign", "bootstrap"]
    assert [test.units for test in found.tests] == [3, 2, 6]
    assert found.tests[1].p == 0.5


def test_different_references_or_protocols_are_refused():
    first = report("one", {"u0"})
    other = REFERENCE | {"u5": list("abcdeg")}
    with pytest.raises(InputError, match=r"one and two: reference fingerprints differ .*--anyway"):
        compare(first, report("two", set(), reference=other))
    with pytest.raises(InputError, match="alignment costs differ"):
        compare(first, report("two", set(), costs="sclite"))
    with pytest.raises(InputError, match=r"protocols differ \(plain, wer\)"):
        compare(first, score(REFERENCE, REFERENCE, "wer", name="two"))


def test_told_to_it_compares_what_both_have():
    other = {key: labels for key, labels in REFERENCE.items() if key != "u4"}
    other["u5"] = list("abcdeg")
    second = report("two", {"u3"}, reference=other, allow_missing=True)
    found = compare(report("one", set()), second, anyway=True)
    assert (found.utterances, found.left_out) == (4, ("u4", "u5"))
    assert [d.id for d in found.differing] == ["u3"]
    elsewhere = {"v": ["a"]}
    with pytest.raises(InputError, match="no utterance with the same reference"):
        compare(report("one", set()), score(elsewhere, elsewhere, "plain"), anyway=True)


def test_speakers_of_either_report_group_both():
    """References with and without speakers; ink of one report makes the speakers writers."""
    known = Transcripts.gather(
        "ref", (Transcript(k, tuple(v), None, f"s{k[1:]}"[:2]) for k, v in REFERENCE.items())
    )
    known = replace(known, kind="ink")
    named, unnamed = report("one", {"u0"}, reference=known), report("two", {"u1", "u2"})
    for first, second in ((named, unnamed), (unnamed, named)):
        found = compare(first, second)
        assert [(test.over, test.units) for test in found.tests[1:]] == [
            ("writers", 3), ("writers", 6),
        ]  # fmt: skip
        assert found.interval.over == "writers"


def test_a_comparison_is_plain_json():
    found = compare(report("one", set(REFERENCE)), report("two", set()))
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["tests"][0] == {
        "name": "mapsswe", "over": "segments", "units": 6, "statistic": None, "p": 2 / 64
    }  # fmt: skip
