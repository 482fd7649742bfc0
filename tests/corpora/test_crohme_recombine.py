"""recipes/crohme/recombine.py: formulas from the symbols of others."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from seqlabel.corpora.crohme import Options, prepare
from seqlabel.errors import InputError

RECIPE = Path(__file__).parents[2] / "recipes" / "crohme"


@pytest.fixture(scope="module")
def recombine():
    path = RECIPE / "recombine.py"
    spec = importlib.util.spec_from_file_location("recombine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recombined_formulas_keep_labels_places_and_sizes(recombine, tiny):
    formulas = recombine.read_formulas(tiny / "crohme")
    assert [[s.label for s in f.symbols] for f in formulas] == [["x", "+", "y"], ["1", "-", "\\pi"]]
    assert [f.linear for f in formulas] == [True, False]
    other = recombine.Symbol("x", [np.array([[0.0, 0.0], [10.0, 5.0]]), np.array([[4.0, 1.0]])])
    old = recombine.Symbol("x", [np.array([[100.0, 50.0], [140.0, 70.0]])])
    rng, none = np.random.default_rng(1), recombine.Distortion(0, 0, 0, 0, 0, 0)
    new = recombine.fitted(recombine.distorted(other, rng, none), old, rng, none)
    assert [len(stroke) for stroke in new.strokes] == [2, 1]
    np.testing.assert_allclose(new.box, [[100, 50], [140, 70]])
    dot = recombine.Symbol(".", [np.array([[7.0, 7.0]])])
    assert recombine.distorted(dot, rng, none).strokes[0].tolist() == [[7.0, 7.0]]
    np.testing.assert_allclose(recombine.fitted(dot, old, rng, none).box, [[120, 60], [120, 60]])


def test_symbols_are_distorted_within_their_limits(recombine):
    corners = np.array([[0.0, 0.0], [0.0, 4.0], [2.0, 4.0]])  # a tall bar and its foot
    symbol = recombine.Symbol("L", [corners])
    rng, none = np.random.default_rng(2), recombine.Distortion(0, 0, 0, 0, 0, 0)

    def changed(**limits):
        for _ in range(200):
            yield recombine.distorted(symbol, rng, none._replace(**limits)).strokes[0]

    turned = [np.subtract(*p[[1, 0]]) for p in changed(rotation=6)]
    angles = np.degrees([np.arctan2(-x, y) for x, y in turned])
    assert 5.5 < np.abs(angles).max() <= 6
    assert angles.min() < 0 < angles.max()
    slopes = np.degrees([np.arctan2(p[1, 0] - p[0, 0], 4.0) for p in changed(shear=10)])
    assert 9 < np.abs(slopes).max() <= 10
    aspects = np.log([np.ptp(p[:, 0]) / np.ptp(p[:, 1]) * 2 for p in changed(aspect=0.2)])
    assert 0.18 < np.abs(aspects).max() <= 0.2 + 1e-12
    bar = recombine.Symbol("|", [np.array([[0.0, 0.0], [0.0, 2.0], [0.0, 4.0]])])
    bent = [
        recombine.distorted(bar, rng, none._replace(bend=0.1)).strokes[0][:, 0] for _ in range(200)
    ]
    bows = [middle - (top + foot) / 2 for top, middle, foot in bent]
    assert 0.36 < np.abs(bows).max() <= 0.4  # a tenth of its length

    sizes, shifts = [], []
    for _ in range(200):
        box = recombine.fitted(symbol, symbol, rng, none._replace(size=0.15)).box
        sizes.append(np.log(np.ptp(box[:, 1]) / 4))
        shifts.append(recombine.fitted(symbol, symbol, rng, none._replace(shift=0.06)).box[0])
    assert 0.13 < np.abs(sizes).max() <= 0.15
    assert 0.22 < np.abs(shifts).max() <= 0.24


def test_symbols_come_from_one_hand_as_far_as_it_wrote_them(recombine):
    def formula(labels, hand):
        return recombine.Formula(
            [recombine.Symbol(label, [np.full((1, 2), len(hand))]) for label in labels], True, hand
        )

    known = recombine.Symbols([formula("ab", "A"), formula("a", "BB"), formula("a", "CCC")])
    rng = np.random.default_rng(3)

    def hands(label, hand):
        return {known.draw(label, hand, rng).box[0, 0] for _ in range(50)}

    assert hands("a", "BB") == {2}
    assert hands("a", "") == {1, 2, 3}
    assert hands("b", "BB") == {1}  # he wrote none


def test_other_labels_are_of_the_same_class_and_known(recombine):
    symbols = [recombine.Symbol(label, [np.zeros((1, 2))]) for label in "0379ax+(="]
    known = recombine.Symbols([recombine.Formula(symbols, True, "")])
    rng = np.random.default_rng(4)

    def others(label, before=""):
        drawn = [recombine.relabelled(label, before, known, rng) for _ in range(400)]
        return {label: drawn.count(label) / 400 for label in drawn}

    assert set(others("7")) == set("0379")
    assert set(others("x")) == set("ax")
    assert others("(") == {"(": 1}
    assert 0.34 < others("7", "0")["0"] < 0.46  # 0.2 + 0.8 / 4
    assert "a" not in others("7", "a")


def test_recombined_formulas_are_read_as_further_training_data(recombine, tiny, monkeypatch):
    out = tiny / "extra"
    command = ["recombine.py", str(tiny / "crohme"), str(out), "--count", "12"]
    monkeypatch.setattr("sys.argv", command)
    recombine.main()
    prepared = prepare(tiny, Options(extra=str(out)))
    known = ("x", "+", "y"), ("1", "-", "\\pi")
    extra = [u for u in prepared.splits["train"] if u.id.startswith("extra/")]
    assert len(extra) == 12
    assert {len(u.labels) for u in extra} == {2, 3}
    for utterance in extra:
        whole = next(labels for labels in known if utterance.labels[0] in labels)
        first = whole.index(utterance.labels[0])
        assert utterance.labels == whole[first : first + len(utterance.labels)]
        assert utterance.tags["linear"] == ("yes" if "x" in whole else "no")
    assert {u.id.split("/")[0] for u in prepared.splits["dev"]} == {"dev"}
    with pytest.raises(InputError, match=r"no \.inkml file for training"):
        prepare(tiny, Options(extra=str(tiny / "absent")))


def test_recombined_formulas_are_not_mixed_with_others(recombine, tiny, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["recombine.py", str(tiny), str(tiny / "out"), *arguments])
        recombine.main()
        return sorted(path.name for path in (tiny / "out").glob("*.inkml"))

    assert run("--count", "3") == ["0.inkml", "1.inkml", "2.inkml"]
    assert len(run("--count", "3")) == 3
    assert "there already" in capsys.readouterr().err
    for other in ("--count=2", "--seed=2", "--relabelled=1"):
        with pytest.raises(InputError, match="already has another corpus"):
            run("--count", "3", other)
    for wrong in ("--count=0", "--seed=-1", "--relabelled=2", "--relabelled=nan"):
        with pytest.raises(SystemExit):
            run(wrong)
