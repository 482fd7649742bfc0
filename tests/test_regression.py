"""Values all the way: lists of arrays, prepared, trained, predicted and scored."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.corpora.manifest import read_manifest
from seqlabel.errors import InputError
from seqlabel.files import write_jsonl
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import read_log

CONFIG = """
seed = 1
[features]
kind = "series"
size = 2
[model]
cell = "lstm"
hidden = 8
layers = 1
bidirectional = false
[criterion]
kind = "regression"
size = 1
[batches]
frames = 200
[[phases]]
epochs = 3
learning_rate = 0.02
"""


@pytest.fixture(scope="module")
def lists(tmp_path_factory) -> Path:
    """Two noisy sines and their product of a moment ago, in sets; some values are not known."""
    folder = tmp_path_factory.mktemp("series")
    rng = np.random.default_rng(0)
    for name, count in (("train", 12), ("dev", 3), ("test", 3)):
        rows = []
        for n in range(count):
            t = np.arange(rng.integers(20, 40)) + rng.uniform(0, 6)
            x = np.stack([np.sin(t / 2), 100 + 5 * np.sin(t / 3)], axis=1)
            y = 50 + 10 * np.roll(x[:, 0] * (x[:, 1] - 100), 1)
            y[0] = math.nan
            np.save(folder / f"{name}{n}.npy", x)
            np.save(folder / f"{name}{n}-y.npy", y)
            rows.append(
                {"kind": "series", "source": f"{name}{n}.npy", "target": f"{name}{n}-y.npy"}
            )
        write_jsonl(folder / f"{name}.jsonl", rows)
    return folder


@pytest.fixture(scope="module")
def data(lists, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "data"
    assert main(["prepare", "manifest", str(lists), str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("config") / "values.toml"
    path.write_text(CONFIG)
    return path


def run(arguments, capsys) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_lists_of_arrays_are_prepared(data, lists, tmp_path, capsys):
    utterances = read_manifest(data / "train.jsonl")
    assert [u.kind for u in utterances] == ["series"] * 12
    assert utterances[0].source == lists / "train0.npy"
    assert utterances[0].target == lists / "train0-y.npy"
    assert main(["check", str(data)]) == 0
    assert "remark" not in capsys.readouterr().out
    assert main(["show", str(data), "--out", str(tmp_path / "a.svg")]) == 0


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("squared", []),
        ("gaussian", ["criterion.loss=gaussian"]),
        ("next", ["criterion={kind='regression', target='next', ahead=2}"]),
        ("stacked", ["criterion={kind='regression', target='next'}", "front_end.stack=2",
                     "front_end.stride=2"]),
        ("strided", ["front_end.stack=3", "front_end.stride=2"]),
    ],
)  # fmt: skip
def test_from_arrays_to_a_report(name, overrides, data, config, tmp_path, capsys):
    exp, hyp, out = tmp_path / "exp", tmp_path / "net.jsonl", tmp_path / "report"
    changes = [text for change in overrides for text in ("--set", change)]
    assert run(["train", config, "--data", data, "--out", exp, *changes], capsys)[0] == 0
    losses = [float(row["dev_loss"]) for row in read_log(exp / "log.csv")]
    assert losses[-1] < losses[0]
    assert run(["decode", exp, data / "test.jsonl", "--out", hyp], capsys)[0] == 0
    code, text, _ = run(["score", data / "test.jsonl", hyp, "--out", out], capsys)
    assert code == 0
    assert "persistence: RMSE" in text
    score = json.loads((out / "score.json").read_text())
    page = (out / "report.html").read_text()
    assert f"{score['rmse']:.4g}" in page
    assert page.count("<figure>") == 3 * len(score["dimensions"])
    assert (score["nats_per_frame"] is None) == (name != "gaussian")

    model = seqlabel.load(exp)
    squares, count = 0.0, 0
    for utterance in read_manifest(data / "test.jsonl"):
        found = model.predict(utterance.source)
        np.testing.assert_array_equal(found, model.predict(np.load(utterance.source)))
        true = expected(name, utterance)
        error = found[: len(true), : true.shape[1]].astype(float) - true
        squares += float(np.nansum(error**2))
        count += int(np.isfinite(error).sum())
    assert score["values"] == count
    assert score["rmse"] == pytest.approx(math.sqrt(squares / count), rel=1e-4)


def expected(name, utterance) -> np.ndarray:
    """What is predicted of each frame, as far as there is something."""
    x, y = np.load(utterance.source), np.load(utterance.target)[:, None]
    if name == "next":
        return x[2:]
    if name == "stacked":
        padded = np.concatenate([x, x[-1:]])
        pairs = [np.concatenate([padded[t], padded[t + 1]]) for t in range(0, len(x), 2)]
        return np.array(pairs[1:])
    return y[::2] if name == "strided" else y


def test_the_dev_error_is_that_of_the_report(data, config, tmp_path, capsys):
    """NRMSE of the log: by the deviation of the training targets."""
    exp, hyp = tmp_path / "exp", tmp_path / "net.jsonl"
    run(["train", config, "--data", data, "--out", exp], capsys)
    run(["decode", exp, data / "dev.jsonl", "--out", hyp], capsys)
    _, text, _ = run(["score", data / "dev.jsonl", hyp, "--json"], capsys)
    targets = [np.load(u.target) for u in read_manifest(data / "train.jsonl")]
    deviation = float(np.nanstd(np.concatenate(targets)))
    metrics = json.loads((exp / "metrics.json").read_text())
    assert metrics["dev_error_rate"] == pytest.approx(
        json.loads(text)["rmse"] / deviation, rel=1e-4
    )


def test_noise_and_masks_leave_the_targets_alone(data, config):
    """What comes next is the clean frame, whatever the input is given in training."""
    from seqlabel.training.distribution import Workers
    from seqlabel.training.setup import load_datasets

    changes = ["criterion={kind='regression', target='next'}"]
    _, train, _ = load_datasets(Experiment.load(config, changes), data, Workers())
    object.__setattr__(train.distortion, "noise", 1.0)
    noisy, plain = train.batch([0, 1], seed=(1,)), train.batch([0, 1])
    assert not np.allclose(noisy.x, plain.x)
    np.testing.assert_array_equal(noisy.values, plain.values)
    for b, length in enumerate(plain.lengths.tolist()):
        mean, std = train.front_end.statistics.mean, train.front_end.statistics.std
        frames = plain.x[b, :length].numpy() * std + mean
        np.testing.assert_allclose(plain.values[b, : length - 1], frames[1:], rtol=1e-5)
        assert plain.values[b, length - 1 :].isnan().all()


def test_a_run_goes_on_with_its_targets_alone(data, config, lists, tmp_path, capsys):
    own = tmp_path / "data"
    run(["prepare", "manifest", lists, own], capsys)
    exp = tmp_path / "exp"
    arguments = ["train", config, "--data", own, "--out", exp, "--resume"]
    assert run(arguments, capsys)[0] == 0
    row = json.loads((own / "train.jsonl").read_text().splitlines()[0])
    other = tmp_path / "other.npy"
    np.save(other, 7 + np.load(row["target"]))
    lines = (own / "train.jsonl").read_text().replace(row["target"], str(other))
    (own / "train.jsonl").write_text(lines)
    code, _, error = run(arguments, capsys)
    assert code == 2
    assert "the targets have changed" in error


def test_labels_are_read_from_series_too(lists, tmp_path, capsys):
    """CTC and framewise over rows, for what comes as numbers."""
    for name in ("train", "dev"):
        rows = [json.loads(line) for line in (lists / f"{name}.jsonl").read_text().splitlines()]
        for row in rows:
            half = len(np.load(lists / row["source"])) // 2
            row.pop("target")
            row["source"] = str(lists / row["source"])
            row |= {"labels": ["a", "b"], "segments": [["a", 0, half], ["b", half, 99]]}
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    data, path = tmp_path / "data", tmp_path / "c.toml"
    assert main(["prepare", "manifest", str(tmp_path), str(data), "--set", "unit=symbol"]) == 0
    assert Alphabet.load(data / "alphabet.json").symbols == ("a", "b")
    for kind in ("ctc", "framewise"):
        path.write_text(CONFIG.replace('"regression"\nsize = 1', f'"{kind}"'))
        exp, hyp = tmp_path / kind, tmp_path / f"{kind}.jsonl"
        assert main(["train", str(path), "--data", str(data), "--out", str(exp)]) == 0
        test = str(data / "dev.jsonl")
        assert main(["decode", str(exp), test, "--out", str(hyp), "--evidence", "2"]) == 0
        assert main(["score", test, str(hyp), "--out", str(tmp_path / f"{kind}-report")]) == 0
        model = seqlabel.load(exp)
        assert set(model.read(lists / "dev0.npy").labels) <= {"a", "b"}
        with pytest.raises(InputError, match="outputs labels, not values"):
            model.predict(lists / "dev0.npy")
        with pytest.raises(InputError, match="series cannot stream"):
            model.stream()
    capsys.readouterr()


@pytest.fixture(scope="module")
def trained(data, config, tmp_path_factory) -> Path:
    exp = tmp_path_factory.mktemp("trained") / "exp"
    assert main(["train", str(config), "--data", str(data), "--out", str(exp)]) == 0
    return exp


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["read", "EXP", "FILE"], "predicts values, not labels"),
        (["decode", "EXP", "TEST", "--out", "OUT", "--beam", "3"], "--beam is for labels"),
        (["decode", "EXP", "TEST", "--out", "OUT", "--n-best", "3"], "--n-best is for labels"),
        (["export", "EXP", "OUT.onnx"], "a regression has no ONNX form"),
        (["align", "EXP", "TEST", "--out", "OUT"], "no label probabilities"),
    ],
)
def test_what_is_for_labels_is_refused(arguments, message, trained, data, tmp_path, capsys):
    places = {"EXP": trained, "TEST": data / "test.jsonl", "OUT": tmp_path / "out",
              "OUT.onnx": tmp_path / "out.onnx",
              "FILE": read_manifest(data / "test.jsonl")[0].source}  # fmt: skip
    code, _, error = run([places.get(a, a) for a in arguments], capsys)
    assert code == 2
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "absent.npy"}, "absent.npy: no such file"),
        ({"target": "train1-y.npy"}, "but the signal has"),
        ({"target": None}, "train0: no target"),
        ({"target": "wide.npy"}, "3 values per row of"),
        ({"source": "wide.npy", "target": None}, "3 values per row, but features.size"),
        ({"target": 3}, "target is 3; the name of a file is expected"),
    ],
)
def test_lists_that_do_not_fit_are_one_line(change, message, lists, config, tmp_path, capsys):
    for path in lists.glob("*.npy"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    length = len(np.load(lists / "train0.npy"))
    np.save(tmp_path / "wide.npy", np.zeros((length, 3)))
    for name in ("train", "dev"):
        rows = [json.loads(line) for line in (lists / f"{name}.jsonl").read_text().splitlines()]
        if name == "train":
            rows[0] |= {"id": "train0", **change}
            rows[0] = {key: value for key, value in rows[0].items() if value is not None}
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    data = tmp_path / "data"
    code, _, error = run(["prepare", "manifest", tmp_path, data], capsys)
    if code == 0:
        code, _, error = run(["train", config, "--data", data, "--out", tmp_path / "e"], capsys)
    assert code == 2
    assert message in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("criterion={kind='regression', target='next'}; model.bidirectional=true",
         "a bidirectional network"),
        ("criterion={kind='regression', target='next'}; front_end.normalise=utterance",
         "uses later"),
        ("criterion.loss=bernoulli", "values outside 0 ... 1"),
        ("criterion.size=2", "1 values per row"),
        ("criterion.loss=huber", "criterion.loss"),
        ("model.layers=2; model.subsample=2", "regression needs subsample = 1"),
        ("criterion={kind='regression', target='next', ahead=500}", "column without any known"),
        ("criterion={kind='ctc'}", "no labels"),
        ("augmentation.speeds=[0.9]", "speeds"),
    ],
)  # fmt: skip
def test_configurations_that_do_not_fit_are_one_line(
    override, message, data, config, tmp_path, capsys
):
    changes = [text for change in override.split("; ") for text in ("--set", change)]
    exp = tmp_path / "exp"
    code, _, error = run(["train", config, "--data", data, "--out", exp, *changes], capsys)
    assert code == 2
    assert message in error.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[0]["values"].pop("target"), "no header of predictions"),
        (lambda rows: rows[0].pop("features"), "no header of predictions"),
        (lambda rows: rows[0]["values"].update(ahead="x"), "no header of predictions"),
        (lambda rows: rows[1].update(values=[[1.0], [1.0, 2.0]]), "are not rows of numbers"),
        (lambda rows: rows[1].update(values=3), "are not rows of numbers"),
        (lambda rows: rows[1].pop("values"), "are not rows of numbers"),
        (lambda rows: rows[1].pop("id"), "no id, or one that occurs twice"),
        (lambda rows: rows[1].update(id=rows[2]["id"]), "no id, or one that occurs twice"),
        (lambda rows: rows[1]["values"].pop(), "values of shape"),
        (lambda rows: rows.pop(), "no prediction"),
        (lambda rows: rows[1]["values"][0].__setitem__(0, math.nan), "NaN"),
    ],
)
def test_damaged_predictions_are_one_line(change, message, trained, data, tmp_path, capsys):
    hyp = tmp_path / "hyp.jsonl"
    test = data / "test.jsonl"
    assert run(["decode", trained, test, "--out", hyp], capsys)[0] == 0
    rows = [json.loads(line) for line in hyp.read_text().splitlines()]
    change(rows)
    hyp.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, _, error = run(["score", test, hyp, "--out", tmp_path / "report"], capsys)
    assert code == 2
    assert message in error
    assert "hyp.jsonl" in error or rows[1]["id"] in error or "prediction" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "report" / "score.json").exists()


def test_systems_with_different_predictions_are_marked(trained, data, tmp_path, capsys):
    one, two, test = tmp_path / "one.jsonl", tmp_path / "two.jsonl", data / "test.jsonl"
    run(["decode", trained, test, "--out", one], capsys)
    rows = one.read_text().splitlines(keepends=True)
    two.write_text("".join(rows[:-1]))
    assert run(["score", test, one, two], capsys)[0] == 2
    code, text, _ = run(["score", test, one, two, "--allow-missing"], capsys)
    assert code == 0
    assert f"of {len(rows) - 1} utterances; 0 without a prediction left out" in text
    assert f"of {len(rows) - 2} utterances; 1 without a prediction left out" in text
    assert "not comparable" in text
    lost = json.loads(rows[-1])["id"]
    _, text, _ = run(["score", test, one, two, "--allow-missing", "--json"], capsys)
    assert [s["skipped"] for s in json.loads(text)["systems"]] == [[], [lost]]


def test_options_of_labels_do_not_go_with_values(trained, data, tmp_path, capsys):
    hyp, test = tmp_path / "hyp.jsonl", data / "test.jsonl"
    run(["decode", trained, test, "--out", hyp], capsys)
    for more in (["--protocol", "cer"], ["--costs", "unit"], ["--unit", "word"]):
        code, _, error = run(["score", test, hyp, *more], capsys)
        assert code == 2
        assert f"{more[0]} is for labels" in error
    assert run(["score", test, hyp, "--fail-above", "0.0001"], capsys)[0] == 1
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"id": "a", "labels": ["a"]}\n')
    assert "scored together" in run(["score", test, hyp, labels], capsys)[2]
