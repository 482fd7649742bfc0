"""recipes/odyssey: the statistics of a search, and its report."""

import csv
import json
import math
import sys
import xml.etree.ElementTree as ET
from argparse import Namespace
from dataclasses import asdict

import numpy as np
import pytest

from seqlabel.errors import InputError

# Statistics


def boxes_of(load, points, values):
    from sklearn.tree import DecisionTreeRegressor

    tree = DecisionTreeRegressor(min_samples_leaf=2, random_state=0).fit(points, values)
    return tree, load("anova").leaves(tree.tree_)


def test_main_effects_are_those_of_the_sum_over_all_cells_of_the_grid(load):
    """The slow twin: the tree predicts every cell between its cuts."""
    random = np.random.default_rng(0)
    points = random.random((40, 3))
    tree, (low, high, values) = boxes_of(load, points, random.random(40) + points[:, 0])
    assert np.prod(high - low, axis=1).sum() == pytest.approx(1)
    cuts = [np.unique([low[:, j], high[:, j]]) for j in range(3)]
    middles = np.meshgrid(*[(c[1:] + c[:-1]) / 2 for c in cuts], indexing="ij")
    grid = tree.predict(np.stack(middles, axis=-1).reshape(-1, 3)).reshape(middles[0].shape)
    sizes = [np.diff(c) for c in cuts]
    mean = np.einsum("abc,a,b,c", grid, *sizes)
    variance = np.einsum("abc,a,b,c", (grid - mean) ** 2, *sizes)
    others = ("abc,b,c->a", "abc,a,c->b", "abc,a,b->c")
    expected = []
    for j, sum_over in enumerate(others):
        marginal = np.einsum(sum_over, grid, *[s for k, s in enumerate(sizes) if k != j])
        expected.append(sizes[j] @ (marginal - mean) ** 2 / variance)
    found = load("anova").main_effects(low, high, values)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_fractions_of_a_sum_are_known_exactly(load):
    """On the middles of a grid a tree cuts between the cells, and is the function itself."""
    from sklearn.tree import DecisionTreeRegressor

    a, b = np.array([0.0, 5, 1, 2]), np.array([3.0, 0, 7])
    i, j, k = (index.ravel() for index in np.indices((4, 3, 2)))
    points = np.stack([(i + 0.5) / 4, (j + 0.5) / 3, (k + 0.5) / 2], axis=1)
    anova, mixed = load("anova"), np.where((i + k) % 2, 2.0, -2.0)  # no main effects
    for values, rest in ((a[i] + b[j], 0.0), (a[i] + b[j] + mixed, 4.0)):
        tree = DecisionTreeRegressor(random_state=0).fit(points, values)
        total = a.var() + b.var() + rest
        expected = [a.var() / total, b.var() / total, 0]
        found = anova.main_effects(*anova.leaves(tree.tree_))
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_forest_finds_the_fractions_of_a_sum(load):
    points = np.random.default_rng(1).random((1000, 3))
    found = load("anova").decompose(points, points @ [3, 2, 0])  # variances 9, 4 and 0 / 12
    np.testing.assert_allclose(found.mean, [9 / 13, 4 / 13, 0], atol=0.02)
    assert found.rest < 0.04
    assert found.r2 > 0.97


def test_fractions_of_a_product_leave_an_interaction(load):
    """xy: V = 1/9 - 1/16 = 7/144, each alone Var(x/2) = 3/144, so that 1/7 is interaction."""
    points = np.random.default_rng(2).random((1000, 2))
    found = load("anova").decompose(points, points[:, 0] * points[:, 1])
    np.testing.assert_allclose(found.mean, [3 / 7, 3 / 7], atol=0.02)
    assert found.rest == pytest.approx(1 / 7, abs=0.02)


def test_noise_has_no_fractions_to_believe_in(load):
    random = np.random.default_rng(3)
    assert load("anova").decompose(random.random((200, 3)), random.random(200)).r2 < 0.05
    flat = load("anova").decompose(random.random((20, 3)), np.ones(20))
    assert flat.mean.tolist() == [0, 0, 0]


def test_welch_is_the_test_of_the_textbook(load):
    a, b = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9], [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0]
    va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    t = (np.mean(a) - np.mean(b)) / math.sqrt(va + vb)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    x = np.linspace(abs(t), 400, 2_000_001)  # the tail of Student's t, as a sum
    logs = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    density = (
        np.exp(logs) / math.sqrt(freedom * math.pi) * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    )
    p = 2 * np.trapezoid(density, x)
    found = load("outcome").welch(a, b)
    assert found.difference == pytest.approx(np.mean(a) - np.mean(b))
    assert found.p == pytest.approx(min(1, 8 * p), rel=1e-4)
    half = (found.high - found.low) / 2
    tail = np.trapezoid(np.where(x >= half / math.sqrt(va + vb), density, 0), x)
    assert 2 * tail == pytest.approx(0.05 / 8, rel=1e-3)
    from scipy.stats import ttest_ind

    theirs = ttest_ind(a, b, equal_var=False)
    assert found.p == pytest.approx(min(1, 8 * theirs.pvalue))
    far = load("outcome").welch([value + 30 for value in a], b)
    assert far.significant
    assert far.low > 20


def test_welch_where_there_is_nothing_to_test(load):
    welch = load("outcome").welch
    assert welch([], [1.0, 2.0]) is None
    assert (welch([3.0], [1.0, 2.0]).difference, welch([3.0], [1.0, 2.0]).p) == (1.5, None)
    assert welch([3.0, 3.0], [1.0, 1.0]).p is None
    assert welch([3.0, 3.0, 3.0], [1.0, 1.0, 1.5]).p < 0.1


# The report


@pytest.fixture
def study(load, tmp_path):
    """A search of which 25 trials are finished; that of number 4 diverged."""
    space, random = load("space"), np.random.default_rng(0)
    out = tmp_path / "exp"
    for number in range(25):
        trial = space.trial(5, number)
        error = 0.3 + 0.4 * abs(space.SPACE["learning_rate"].place(trial.learning_rate) - 0.7)
        result = {
            **asdict(trial), "weights": 1000 + number, "epochs": 3, "diverged": "",
            "dev_error": error, "test_error": error + 0.01 * random.random(), "seconds": 6.0,
        }  # fmt: skip
        if number == 4:
            result |= {"epochs": 0, "dev_error": 1.0, "test_error": 1.0, "diverged": "not finite"}
        folder = out / "trials" / trial.name
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(result))
    (out / "study.json").write_text('{"seed": 5}')
    return out


def test_the_report_counts_and_compares(load, study, capsys):
    load("analyse").main(Namespace(exp=study, trials=3, best=0.1))
    text = (study / "report" / "report.md").read_text()
    assert capsys.readouterr().out.strip() == text.strip()
    assert text.startswith("25 of 27 trials are finished, 1 diverged; 2 minutes of training.")
    lines = {row.split(" | ")[0].strip("| "): row for row in text.splitlines() if "|" in row}
    assert lines["NIAF"].startswith("| NIAF |")
    found = json.loads((study / "report" / "report.json").read_text())
    assert found["finished"] == 25
    assert set(found["welch"]["all"]) == set(load("space").VARIANTS) - {"V"}
    results = load("outcome").read_results(study)
    mine = {name: [r["test_error"] for r in results if r["variant"] == name] for name in
            load("space").VARIANTS}  # fmt: skip
    for name, test in found["welch"]["all"].items():
        assert test["difference"] == pytest.approx(100 * (np.mean(mine[name]) - np.mean(mine["V"])))
    assert found["fractions"]["all"]["inputs"][-1] == "variant"
    svg = (study / "report" / "boxes.svg").read_text()
    ET.fromstring(svg)
    assert "1 diverged" in svg
    for name in mine:
        assert svg.count(f">{name}</text>") == 2


def test_the_report_of_fewer_trials_is_of_the_first_ones(load, study):
    load("analyse").main(Namespace(exp=study, trials=2, best=0.1))
    rows = list(csv.DictReader((study / "report" / "trials.csv").read_text().splitlines()))
    assert [int(row["number"]) for row in rows] == list(range(18))
    assert (study / "report" / "report.md").read_text().startswith("18 of 18 trials")


def test_the_best_are_chosen_on_dev_and_judged_on_test(load):
    outcome = load("outcome")
    group = [
        {"variant": "V", "number": n, "dev_error": dev, "test_error": test}
        for n, (dev, test) in enumerate([(0.3, 0.2), (0.1, 0.5), (0.2, 0.4), (0.4, 0.1)] * 10)
    ]
    ordered = outcome.by_variant(group)["V"]
    assert [r["number"] for r in outcome.chosen(ordered, 0.1)] == [1, 5, 9, 13]
    assert outcome.percent(outcome.chosen(ordered, 0.1)) == [50.0] * 4
    assert len(outcome.chosen(ordered[:5], 0.1)) == 3
    assert len(outcome.chosen(ordered[:2], 0.1)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda out: (out / "study.json").unlink(), "holds no search; run"),
        (lambda out: [p.unlink() for p in out.glob("*/*/result.json")], "no trial is finished"),
        (lambda out: (out / "study.json").write_text('{"seed": 6}'), "trial 0 is not that of seed"),
    ],
)
def test_searches_that_cannot_be_reported(load, study, change, message):
    change(study)
    with pytest.raises(InputError, match=message):
        load("analyse").main(Namespace(exp=study, trials=3, best=0.1))


@pytest.mark.parametrize("module", ["sklearn.ensemble", "scipy"])
def test_the_report_wants_scikit_learn(load, study, monkeypatch, module):
    load("analyse")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match="pip install scikit-learn"):
        load("analyse").main(Namespace(exp=study, trials=3, best=0.1))
