"""seqlabel features: the sets train and dev, and what is said where one is absent."""

import shutil

from seqlabel.cli import main


def without(tiny_corpus, tmp_path, name):
    data = tmp_path / "data"
    shutil.copytree(tiny_corpus, data, ignore=shutil.ignore_patterns("features", f"{name}.jsonl"))
    return data


def test_data_without_a_dev_set(tiny_corpus, config, tmp_path, capsys):
    data = without(tiny_corpus, tmp_path, "dev")
    assert main(["features", str(config), "--data", str(data)]) == 0
    train, dev = capsys.readouterr().out.splitlines()
    assert train.startswith("train: 24 utterances, ")
    assert dev == f"dev: no file {data / 'dev.jsonl'}; seqlabel train will need one"
    assert kept(data)
    assert all(name.startswith("train") for name in kept(data))
    assert main(["train", str(config), "--data", str(data), "--out", str(tmp_path / "exp")]) == 2
    told = capsys.readouterr().err
    assert f"{data / 'dev.jsonl'}: no such file; training needs the sets train and dev" in told


def test_data_without_a_training_set(tiny_corpus, config, tmp_path, capsys):
    data = without(tiny_corpus, tmp_path, "train")
    assert main(["features", str(config), "--data", str(data)]) == 2
    told = capsys.readouterr().err
    assert f"{data / 'train.jsonl'}: no such file; training needs the sets train and dev" in told
    assert kept(data) == set()


def kept(data):
    """Names of what was stored."""
    return {path.name for path in data.glob("features/*")}
