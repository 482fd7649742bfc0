"""Scores of predicted values, against scikit-learn and by hand."""

import json
import math
import re

import numpy as np
import pytest

from seqlabel.errors import InputError
from seqlabel.report.html.values import write_value_page
from seqlabel.report.values import (
    NOT_COMPARABLE,
    extent,
    read_predictions,
    values_to_json,
    values_to_text,
)
from seqlabel.scoring.values import Prediction, mean_of, persistence, score_values

metrics = pytest.importorskip("sklearn.metrics")


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    true = {key: rng.normal(5, 2, (n, 3)).astype(np.float32) for key, n in (("a", 7), ("b", 4))}
    found = {key: Prediction(x + rng.normal(0, 1, x.shape)) for key, x in true.items()}
    return true, found


def test_errors_are_those_of_scikit_learn():
    true, found = drawn()
    report = score_values(true, found, "net")
    y = np.concatenate([*true.values()]).astype(float)
    p = np.concatenate([x.values for x in found.values()])
    assert report.rmse == pytest.approx(math.sqrt(metrics.mean_squared_error(y, p)))
    assert report.mae == pytest.approx(metrics.mean_absolute_error(y, p))
    r2 = metrics.r2_score(y, p, multioutput="variance_weighted")
    assert report.r2 == pytest.approx(r2, abs=1e-6)
    assert report.rate == pytest.approx(math.sqrt(1 - r2), abs=1e-6)
    columns = [row["r2"] for row in report.dimensions()]
    np.testing.assert_allclose(columns, metrics.r2_score(y, p, multioutput="raw_values"), atol=1e-5)
    assert report.nats is None
    assert report.utterances["b"] == pytest.approx(
        math.sqrt(metrics.mean_squared_error(true["b"], found["b"].values))
    )


def test_what_is_not_known_does_not_count():
    true, found = drawn()
    whole = score_values({"a": true["a"][:5]}, {"a": Prediction(found["a"].values[:5])})
    true["a"][5:] = math.nan
    part = score_values({"a": true["a"]}, {"a": found["a"]})
    assert (part.rmse, part.mae, part.frames) == (whole.rmse, whole.mae, 5)
    assert part.r2 == pytest.approx(whole.r2)


def test_nats_of_a_frame():
    x = np.array([[1.0, 0.0], [0.0, 0.0]])
    p = np.array([[0.9, 0.2], [0.5, 0.1]])
    report = score_values({"a": x}, {"a": Prediction(p)}, loss="bernoulli")
    expected = -np.log([0.9, 0.8, 0.5, 0.9]).sum() / 2
    assert report.nats_per_frame == pytest.approx(expected)
    std = np.full((2, 2), 2.0)
    report = score_values({"a": x}, {"a": Prediction(p, std)}, loss="gaussian")
    density = np.exp(-(((x - p) / 2) ** 2) / 2) / (2 * math.sqrt(2 * math.pi))
    assert report.nats_per_frame == pytest.approx(-np.log(density).sum() / 2)
    assert score_values({"a": x}, {"a": Prediction(p)}, loss="gaussian").nats is None


def test_persistence_keeps_the_last_value_and_begins_with_the_mean():
    true = {"a": np.array([[1.0], [2.0], [4.0], [5.0]])}
    before = {"a": np.array([[math.nan], [1.0], [2.0], [4.0]])}
    found = persistence(true, before)
    assert found["a"].values.ravel().tolist() == [3.0, 1.0, 2.0, 4.0]
    assert mean_of(true).tolist() == [3.0]
    report = score_values(true, found)
    assert report.rmse == pytest.approx(math.sqrt((4 + 1 + 4 + 1) / 4))


def test_the_mean_has_rate_1_and_constants_have_none():
    true, _ = drawn()
    mean = {key: Prediction(np.tile(mean_of(true), (len(x), 1))) for key, x in true.items()}
    assert score_values(true, mean).rate == pytest.approx(1, abs=1e-6)
    constant = {"a": np.ones((3, 1))}
    report = score_values(constant, {"a": Prediction(np.ones((3, 1)))})
    assert math.isnan(report.r2)
    assert report.to_json()["r2"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, f: f.pop("b"), "b: no prediction"),
        (lambda t, f: f.update(c=f["a"]), "c: predicted, but not in the references"),
        (lambda t, f: f.update(a=Prediction(np.zeros((6, 3)))), r"a: values of shape \(6, 3\)"),
        (lambda t, f: f.update(a=Prediction(np.full((7, 3), np.nan))), "a: .*NaN"),
        (lambda t, f: f.update(a=Prediction(f["a"].values, np.zeros((7, 3)))), "not positive"),
        (lambda t, f: t.update(b=np.zeros((4, 2))), "b: 2 values a frame, others have 3"),
        (lambda t, f: [x.fill(math.nan) for x in t.values()], "no known value"),
    ],
)
def test_what_cannot_be_scored_is_named(change, message):
    true, found = drawn()
    change(true, found)
    with pytest.raises(InputError, match=message):
        score_values(true, found)


def test_missing_predictions_may_be_left_out():
    true, found = drawn()
    del found["b"]
    report = score_values(true, found, allow_missing=True)
    assert report.missing == ("b",)
    assert report.frames == 7


def test_columns_without_a_known_value_keep_their_place(tmp_path):
    nan = math.nan
    true = {"a": np.array([[1.0, nan, 3.0], [2.0, nan, 5.0]])}
    report = score_values(true, {"a": Prediction(np.array([[1.0, 0.0, 4.0], [2.0, 0.0, 7.0]]))})
    assert [row["mae"] for row in report.dimensions()] == pytest.approx([0, nan, 1.5], nan_ok=True)
    assert [row["rmse"] for row in report.to_json()["dimensions"]] == [0, None, math.sqrt(2.5)]
    assert json.dumps(report.to_json(), allow_nan=False)
    text = values_to_text([report], report)
    assert [line.split() for line in text.splitlines() if re.match("  [0-2]  ", line)] == [
        ["0", "0", "0", "1.0000"], ["1", "–", "–", "–"], ["2", "1.581", "1.5", "-1.5000"],
    ]  # fmt: skip
    write_value_page([report], report, {"true": true}, tmp_path / "r.html")
    rows = (tmp_path / "r.html").read_text().partition('id="columns"')[2].split("<tr>")[2:]
    assert [re.findall(r">([^<>\s]+)<", row)[:3] for row in rows] == [
        ["0", "0", "0"], ["1", "–", "–"], ["2", "1.581", "1.5"],
    ]  # fmt: skip
    assert mean_of(true).tolist() == [1.5, 0, 4]


def test_systems_that_lack_different_utterances_are_told_apart(tmp_path):
    true, found = drawn()
    less = {"a": found["a"]}
    reports = [score_values(true, p, n, allow_missing=True) for p, n in ((found, "x"), (less, "y"))]
    text = values_to_text(reports, reports[0])
    assert "  x: 33 values in 11 frames of 2 utterances; 0 without a prediction left out\n" in text
    assert "  y: 21 values in 7 frames of 1 utterances; 1 without a prediction left out\n" in text
    assert NOT_COMPARABLE in text
    assert {f"  references {r.reference_fingerprint}" for r in reports} < set(text.splitlines())
    value = values_to_json(reports, reports[0])
    assert [system["skipped"] for system in value["systems"]] == [[], ["b"]]
    assert value["same_values"] is False
    write_value_page(reports, reports[0], {"true": true}, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    for part in (NOT_COMPARABLE, *map(extent, reports), reports[1].reference_fingerprint):
        assert part in page
    text = values_to_text([reports[0]] * 2, reports[0])
    assert NOT_COMPARABLE not in text
    assert text.count("values in") == 1
    assert values_to_json([reports[0]] * 2, reports[0])["same_values"] is True


@pytest.mark.parametrize("values", [[[10**400]], [["x"]], [[1.0], []], 1.0, None])
def test_malformed_predictions_are_named(tmp_path, values):
    path = tmp_path / "predictions.jsonl"
    path.write_text('{"values": {}}\n' + json.dumps({"id": "a", "values": values}) + "\n")
    with pytest.raises(InputError, match=r"predictions\.jsonl:2: values of 'a' are not rows"):
        read_predictions(path)
