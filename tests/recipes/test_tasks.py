"""recipes/tasks: every task from its data to its figures, at a tiny size; users' own files."""

import importlib
import json
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from seqlabel.cli import main
from seqlabel.errors import InputError

RECIPE = Path(__file__).parents[2] / "recipes" / "tasks"
VALUES = ("anomaly", "music", "traffic")
SYSTEMS = {
    "activity": 3, "anomaly": 4, "music": 4, "process": 3, "protein": 3, "signs": 2, "traffic": 4,
}  # fmt: skip


@pytest.fixture
def load(monkeypatch):
    """Imports a module of the recipe as its script does, from its own folder."""
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module


def made(load, task, folder, scale=0.0, file=None) -> Path:
    """The lists of a task."""
    module, common = load(task), load("common")
    out = folder / "corpus"
    out.mkdir()
    common.write_lists(out, module.make(out, Namespace(seed=1, scale=scale, file=file)))
    return out


@pytest.mark.parametrize("task", SYSTEMS)
def test_from_data_to_figures(task, load, tmp_path, capsys):
    if task == "activity":
        pytest.importorskip("espeakng_loader")
    corpus, data, exp = made(load, task, tmp_path), tmp_path / "data", tmp_path / "exp"
    unit = "word" if task == "signs" else "symbol"
    assert main(["prepare", "manifest", str(corpus), str(data), "--set", f"unit={unit}"]) == 0
    overrides = ["phases=[{epochs=1}]", "model.hidden=4", "training.threads=1"]
    if (corpus / "size").is_file():
        overrides.append(f"features.size={(corpus / 'size').read_text().strip()}")
    changes = [text for change in overrides for text in ("--set", change)]
    config = str(RECIPE / "conf" / f"{task}.toml")
    assert main(["train", config, "--data", str(data), "--out", str(exp), *changes]) == 0
    name = "values" if task in VALUES else "greedy"
    for part in ("dev", "test"):
        hyp = tmp_path / "decode" / part / f"{name}.jsonl"
        assert main(["decode", str(exp), str(data / f"{part}.jsonl"), "--out", str(hyp)]) == 0
    assert main(["score", str(data / "test.jsonl"), str(hyp)]) == 0
    results = load(task).judge(data, tmp_path / "decode")
    assert len(results) == SYSTEMS[task]
    for numbers in results.values():
        assert all(np.isfinite(value) for value in numbers.values())
    if task in ("music", "traffic"):  # the package finds the same error
        capsys.readouterr()
        assert main(["score", str(data / "test.jsonl"), str(hyp), "--json"]) == 0
        totals = json.loads(capsys.readouterr().out)
        key, own = ("nats_per_frame", "nats") if task == "music" else ("rmse", "RMSE")
        assert results["LSTM"][own] == pytest.approx(totals[key], rel=1e-3)
    if task == "traffic":
        assert results["LSTM"]["R²"] == pytest.approx(totals["r2"], rel=1e-3)
        now = results["now (persistence)"]["RMSE"]
        assert totals["persistence"]["rmse"] == pytest.approx(now, rel=0.05)


def test_segments_and_labels_of_frames_are_inverse(load):
    common = load("common")
    labels = list("aabbbac")
    triples = common.segments(labels, 0.5)
    assert triples == [["a", 0, 1], ["b", 1, 2.5], ["a", 2.5, 3], ["c", 3, 3.5]]
    assert common.frame_labels(triples, 7, 0.5).tolist() == labels
    assert common.frame_labels(triples, 9, 0.5).tolist() == [*labels, "", ""]
    assert common.segments([]) == []


def test_scores_of_anomalies_are_those_of_scikit_learn(load):
    metrics = pytest.importorskip("sklearn.metrics")
    anomaly = load("anomaly")
    rng = np.random.default_rng(0)
    true = rng.random(200) < 0.3
    score = np.round(rng.normal(0, 1, 200) + true, 1)
    assert anomaly.auc(score, true) == pytest.approx(metrics.roc_auc_score(true, score))
    assert anomaly.f1(score, true, 0.5) == pytest.approx(metrics.f1_score(true, score > 0.5))


def test_anomalies_lie_where_they_are_said_to(load):
    """Outside them two series of one seed, with and without, are the same machine."""
    anomaly = load("anomaly")
    x, wrong = anomaly.machine(300, np.random.default_rng(3), 0)
    assert not wrong.any()
    assert x.shape == (300, 2)
    _, wrong = anomaly.machine(300, np.random.default_rng(3), 4)
    assert 0 < wrong.mean() < 0.5
    z = anomaly.z_score(x, 20)
    past = x[30:50]
    assert z[50] == pytest.approx(
        (np.abs(x[50] - past.mean(axis=0)) / (past.std(axis=0) + anomaly.NOISE / 4)).max()
    )
    line = np.stack([np.arange(60.0), 5 - np.arange(60.0)], axis=1)
    line[45:] += 3.0
    error = anomaly.past(line, 2) @ np.array([[2, 0], [0, 2], [-1, 0], [0, -1], [0, 0]])
    assert np.flatnonzero(np.abs(error - line[2:]).sum(axis=1) > 1e-9).tolist() == [43, 44]


def test_the_bigram_of_keys_counts(load):
    music = load("music")
    train = [music.roll([[60], [60, 64], [64], [60]])]
    key = 60 - music.LOWEST
    table = music.bigram(train, 1e-9)
    assert table[1, key] == pytest.approx(1 / 2)  # sounds, sounds, stops
    assert table[0, key] == pytest.approx(1)
    assert music.nats([np.full((2, 88), 0.5)], [train[0][:2]]) == pytest.approx(88 * np.log(2))
    for frame in music.piece(np.random.default_rng(0)):
        assert 1 <= len(frame) <= 4
        assert all(40 <= pitch <= 81 for pitch in frame)


def test_the_information_of_residues_is_counted(load):
    protein = load("protein")
    rng = np.random.default_rng(0)
    pairs = [protein.protein(rng) for _ in range(5)]
    train = [(residues, np.array(list(states), dtype=object)) for residues, states in pairs]
    scores = protein.information(train)
    seen = Counter(
        (s, residues[t + 3] if t + 3 < len(residues) else "")
        for residues, states in pairs
        for t, s in enumerate(states)
    )
    total = sum(n for (s, _), n in seen.items() if s == "H") + 21
    for residue in "AG":
        expected = np.log((seen["H", residue] + 1) / total)
        number = protein.RESIDUES.index(residue)
        assert scores[0, protein.WINDOW + 3, number] == pytest.approx(expected)


def test_orders_are_remembered_to_their_end(load):
    """What an order is decides how it is paid, many events later."""
    process = load("process")
    paid = {"web order": "charge card", "phone order": "send bill", "partner order": "settle"}
    rng = np.random.default_rng(0)
    for _ in range(200):
        events = process.order(rng)
        if "reject" not in events:
            assert [e for e in events if e in paid.values()] == [paid[events[0]]]
            assert events[-1] == "close"


def test_traffic_is_scored_over_what_is_known(load):
    traffic = load("traffic")
    series = traffic.roads(2 * traffic.WEEK, np.random.default_rng(0))
    assert series.shape == (2 * traffic.WEEK, 4)
    assert (series >= 0).all()
    y = np.array([[1.0], [2.0], [np.nan], [5.0]])
    found = traffic.errors([(y, y)], lambda x: np.array([[1.0], [4.0], [9.0], [5.0]]))
    assert found["RMSE"] == pytest.approx(np.sqrt(4 / 3))
    assert found["MAE"] == pytest.approx(2 / 3)


def test_hands_are_cut_where_they_rest(load):
    signs = load("signs")
    x = np.zeros((40, 24))
    x[8:16] += 5
    x[24:33, 12:] -= 5
    assert [stretch.shape for stretch in signs.cut(x, 2.0)] == [(10, 24)] * 2
    assert signs.sentence(["i", "go"], np.random.default_rng(0)).shape[1] == 24
    assert signs.error_rate([("a", "b")], [["a", "c", "b"]]) == 0.5


XES = """<log xmlns="http://www.xes-standard.org/">{}</log>"""
TRACE = """<trace><string key="concept:name" value="c"/><event><string key="concept:name"
value="open it"/></event><event><string key="concept:name" value="end"/></event></trace>"""


@pytest.mark.parametrize(
    ("task", "name", "text", "count"),
    [
        ("process", "log.csv", "case,activity\n" + "".join(
            f"{n},open it\n{n},end\n" for n in range(10)), 2),
        ("process", "log.xes", XES.format(10 * TRACE), 2),
        ("protein", "p.txt", "".join(f">p{n}\nACDXK\nHGETS\n" for n in range(10)), 20),
        ("music", "jsb.json", json.dumps({k: [[[60, 64], [62], []]] * 2
                                          for k in ("train", "valid", "test")}), 88),
        ("traffic", "c.csv", "a,b\n" + 8064 * "1,2\n", 6),
    ],
)  # fmt: skip
def test_data_of_ones_own_are_taken(task, name, text, count, load, tmp_path):
    (tmp_path / name).write_text(text)
    corpus = made(load, task, tmp_path, file=tmp_path / name)
    assert (corpus / "size").read_text() == f"{count}\n"
    unit = ["--set", "unit=symbol"]
    assert main(["prepare", "manifest", str(corpus), str(tmp_path / "data"), *unit]) == 0


@pytest.mark.parametrize(
    ("task", "name", "text", "message"),
    [
        ("process", "log.csv", "id,event\n1,a\n", "columns case and activity"),
        ("process", "log.csv", "case,activity\n1,a\n", "1 sequences are too few"),
        ("process", "log.xes", "<log></log>", "no events"),
        ("process", "log.xes", "<log>", "log.xes"),
        ("protein", "p.txt", ">p\nACD\nHH\n", r"entry 1 \(>p\)"),
        ("protein", "p.txt", "", "no proteins|empty"),
        ("music", "j.json", "{}", "train, valid and test"),
        ("music", "j.json", '{"train": [[[200]]], "valid": [], "test": []}', "no pitches"),
        ("traffic", "c.csv", "a\n1\n", "12 weeks"),
        ("traffic", "c.csv", "1,2\n3\n", "no table of counts"),
    ],
)
def test_data_that_do_not_fit_are_one_line(task, name, text, message, load, tmp_path):
    (tmp_path / name).write_text(text)
    args = Namespace(seed=1, scale=1.0, file=tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        load(task).make(tmp_path, args)
    assert "\n" not in str(caught.value)


def test_scripts_end_with_one_line_and_exit_code_2(tmp_path):
    command = [sys.executable, "signs.py", "make", str(tmp_path / "out"), "--file", "x"]
    done = subprocess.run(command, cwd=RECIPE, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "signs.py: --file: this task only works with its generated data\n"
    assert not (tmp_path / "out").exists()
