"""Bodies that hold anything but ink, samples or text are refused in one line."""

import json

import numpy as np
import pytest

from seqlabel.demo import bodies
from seqlabel.demo.bodies import ink_of, json_object, samples_of, transcript_of, whole_number
from seqlabel.errors import InputError

POINT = [10.0, 20.0, 0.0, 0.5]


def strokes(*points) -> list:
    return [list(points)]


HOSTILE = [
    None,
    1,
    "strokes",
    {},
    [],
    [[]],
    [[POINT], []],
    [{}],
    ["strokes"],
    [[None]],
    [["abcd"]],
    [[[]]],
    strokes([1, 2, 3]),
    strokes([1, 2, 3, 4, 5]),
    strokes(POINT, [1, 2, 3]),
    strokes(["1", "2", "3", "4"]),
    strokes([1, 2, 3, None]),
    strokes([True, False, True, True]),
    strokes([1, 2, 3, [4]]),
    strokes([[1], [2], [3], [4]]),
    strokes([1, 2, 3, {}]),
    strokes([1e999, 2, 3, 0.5]),
    strokes([1, 2, 1e999, 0.5]),
    strokes([1, 2, 3, 1e999]),
    strokes([1e300, 2, 3, 0.5]),
    strokes([1, -30000, 3, 0.5]),
    strokes([10**30, 2, 3, 0.5]),
    strokes([10**400, 2, 3, 0.5]),
    strokes(POINT, [1, 2, -1, 0.5]),
    [[[1, 2, 5, 0.5]], [[1, 2, 4, 0.5]]],
    strokes(*(bodies.MOST_POINTS + 1) * [POINT]),
    strokes(*([x, 0, 0, 0.5] for n in range(20) for x in (0, 19999))),
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:40])
def test_what_is_no_ink_is_refused(client, value):
    with pytest.raises(InputError) as refused:
        ink_of(value)
    text = json.dumps({"strokes": value, "model": 0, "choice": 0})
    status, _, answer = client.post("ink", text.replace("Infinity", "1e999").encode())
    assert status == 400
    assert answer["error"] == str(refused.value)
    assert "\n" not in answer["error"]
    assert len(answer["error"]) < 300


def test_ink_arrives_as_it_was_written():
    ink = ink_of([[[1, 2.5, 0, 0.25], [3, 4, 8.5, 1]], [[5, 6, 1000, 0]]])
    assert ink.unit == "px"
    np.testing.assert_array_equal(ink.points, [[1, 2.5, 0, 0.25], [3, 4, 0.0085, 1], [5, 6, 1, 0]])
    assert ink.offsets.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe{}",
        b'{"strokes": NaN}',
        b'{"strokes": -Infinity}',
        b'{"strokes": "\\ud800"}',
        b'{"model": ' + 5000 * b"9" + b"}",
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"strokes": ' + b"[" * 100_000,
        b"{}" * 10,
    ],
)
@pytest.mark.parametrize("path", ["ink", "keep", "example"])
def test_what_is_no_json_object_is_refused(client, path, body):
    with pytest.raises(InputError):
        json_object(body)
    status, _, answer = client.post(path, body)
    assert status == 400
    assert len(answer["error"]) < 300
    assert client.alive()


@pytest.mark.parametrize("value", [None, -1, 2, 1.0, True, "x", "", "-1", "1e0", "٣", [], 10**30])
@pytest.mark.parametrize("name", ["model", "choice"])
def test_models_and_decoders_that_are_not_there_are_named(client, ink, as_sent, name, value):
    body = {"strokes": as_sent(ink("lo")), "model": 0, "choice": 0} | {name: value}
    status, _, answer = client.post("ink", body)
    assert status == 400
    assert answer["error"].startswith(name)


def test_a_model_of_sound_reads_no_ink(client, ink, as_sent):
    body = {"strokes": as_sent(ink("lo")), "model": 1, "choice": 0}
    status, _, answer = client.post("ink", body)
    assert (status, answer["error"]) == (400, "model 1 is not for ink; reload the page")


def test_ink_of_too_many_frames_is_not_read(client, monkeypatch, ink):
    monkeypatch.setattr("seqlabel.demo.reading.MOST_FRAMES", 10)
    status, answer = client.read_ink(ink("lo"))
    assert status == 400
    assert "at most 10 are allowed" in answer["error"]


def test_whatever_the_ink_the_server_goes_on(client):
    rng = np.random.default_rng(0)
    for size in (0, 1e-9, 1e-3, 1, 300, 20_000):
        for count in (1, 2, 3, 50):
            points = np.column_stack(
                [
                    rng.uniform(0, size, (count, 2)),
                    np.sort(rng.uniform(0, 9, count)),
                    np.ones(count),
                ]
            )
            body = {"strokes": [points.tolist()], "model": 0, "choice": 1}
            assert client.post("ink", body)[0] in (200, 400)
    assert client.alive()


def test_samples_are_little_endian_integers():
    values = np.array([0, 1, -1, 32767, -32768])
    np.testing.assert_array_equal(samples_of(values.astype("<i2").tobytes()), values / 32768)
    with pytest.raises(InputError, match="odd number of bytes"):
        samples_of(b"123")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "must be a string"),
        (["x"], "must be a string"),
        ("", "the text is empty"),
        (" \n\t ", "the text is empty"),
        ("\u200d \u200c", "the text is empty"),
        (2001 * "x", "more than 2000 characters"),
        ("a\u0000b", "unprintable character"),
        ("a\u202eb", "unprintable character"),
    ],
)
def test_transcripts_are_text_on_a_line(value, message):
    with pytest.raises(InputError, match=message):
        transcript_of(value)


def test_transcripts_are_tidied_as_prepare_does():
    assert transcript_of("  cafe\u0301 \n bar ") == "café bar"


@pytest.mark.parametrize("text", ["می\u200cخواهم", "क्\u200dष"])
def test_joiners_are_part_of_a_transcript(text):
    assert transcript_of(text) == text


def test_numbers_of_a_query():
    assert whole_number("12", "n", 12) == 12
    for wrong in ("13", "-1", " 1", "1_0", "0x1", None, 1.5):
        with pytest.raises(InputError, match="n: must be a whole number from 0 to 12"):
            whole_number(wrong, "n", 12)
