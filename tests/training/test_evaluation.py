"""Dev scores."""

import math
from dataclasses import replace

import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import read_manifest, write_manifest
from seqlabel.data import BatchOptions
from seqlabel.errors import InputError
from seqlabel.models.model import Model
from seqlabel.scoring.protocols import get_protocol
from seqlabel.training.distribution import Workers
from seqlabel.training.evaluation import evaluate
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train
from seqlabel.training.setup import load_datasets, name_unusable


def test_an_utterance_too_short_for_its_labels_has_no_loss_and_counts_as_errors(
    tiny_corpus, config, tmp_path
):
    """The loss is that of the others, whatever batch it stands in."""
    experiment = Experiment.load(config)
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("alphabet.json", "train.jsonl"):
        (folder / name).write_bytes((tiny_corpus / name).read_bytes())
    utterances = read_manifest(tiny_corpus / "dev.jsonl")
    utterances[2] = replace(utterances[2], labels=utterances[2].labels[:1] * 900)
    scores = []
    for chosen in (utterances, [u for u in utterances if u is not utterances[2]]):
        write_manifest(folder / "dev.jsonl", chosen)
        _, train, dev = load_datasets(experiment, folder, Workers())
        torch.manual_seed(1)
        model = Model(
            train.front_end.dim, len(train.alphabet), experiment.model, experiment.criterion
        )
        for batch in (BatchOptions(utterances=1), BatchOptions(frames=10_000)):
            scores.append(evaluate(model, dev, batch, get_protocol("plain"), Workers()))
    assert all(math.isfinite(score.loss) for score in scores)
    assert [score.loss for score in scores] == pytest.approx([scores[-1].loss] * 4, rel=1e-5)
    assert scores[0].error_rate == scores[1].error_rate
    assert scores[0].error_rate != scores[2].error_rate


def test_symbols_that_training_lacks_count_as_errors_and_have_no_loss(
    tiny_corpus, config, tmp_path, caplog
):
    experiment = Experiment.load(config)
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("alphabet.json", "train.jsonl"):
        (folder / name).write_bytes((tiny_corpus / name).read_bytes())
    known = read_manifest(tiny_corpus / "dev.jsonl")
    unseen = [replace(known[0], labels=("?", *known[0].labels[1:])), *known[1:]]
    scores = []
    for utterances in (known[1:], unseen):
        write_manifest(folder / "dev.jsonl", utterances)
        _, train, dev = load_datasets(experiment, folder, Workers())
        torch.manual_seed(1)
        model = Model(
            train.front_end.dim, len(train.alphabet), experiment.model, experiment.criterion
        )
        scores.append(evaluate(model, dev, BatchOptions(), get_protocol("plain"), Workers()))
    assert scores[0].loss == pytest.approx(scores[1].loss, rel=1e-5)
    assert math.isfinite(scores[1].error_rate)
    assert f"{known[0].id} (symbol '?' is not in the alphabet)" in named(dev, model, caplog)
    write_manifest(folder / "train.jsonl", unseen)
    with pytest.raises(InputError, match=r"symbol '\?' is not in the alphabet"):
        load_datasets(experiment, folder, Workers())


PHONES = ("aa", "ih", "sh", "h#", "tcl", "q")


def as_phones(source, folder, alphabet=PHONES, **changed):
    """A prepared folder whose labels are phones; changed: set -> labels of its first utterance."""
    folder.mkdir()
    Alphabet(alphabet, unit="phone").save(folder / "alphabet.json")
    for name in ("train", "dev"):
        utterances = [
            replace(u, labels=tuple(PHONES[ord(c) % 5] for c in u.labels), text=None)
            for u in read_manifest(source / f"{name}.jsonl")
        ]
        first = replace(utterances[0], labels=changed.get(name, utterances[0].labels))
        write_manifest(folder / f"{name}.jsonl", [first, *utterances[1:]])
    return folder


def test_dev_symbols_that_neither_training_nor_the_protocol_knows_count_as_errors(
    tiny_corpus, config, tmp_path
):
    """The network says aa, whatever it gets; q is removed, h# and tcl fall together."""
    experiment = Experiment.load(config, ["training.protocol=kaldi"])
    data = as_phones(tiny_corpus, tmp_path / "data", dev=("aa", "q", "zz", "tcl", "zz"))
    _, train_set, dev = load_datasets(experiment, data, Workers())
    model = Model(
        train_set.front_end.dim, len(train_set.alphabet), experiment.model, experiment.criterion
    )
    model.criterion.best_labels = lambda encoded, lengths: [[1] for _ in lengths]
    found = evaluate(model, dev, BatchOptions(), get_protocol("kaldi"), Workers())
    classes = {"aa": "aa", "ih": "ih", "sh": "sh", "h#": "sil", "tcl": "sil", "zz": "zz"}
    references = [[classes[k] for k in u.labels if k != "q"] for u in dev.utterances[:]]
    assert references[0] == ["aa", "zz", "sil", "zz"]
    errors = sum(len(r) - ("aa" in r) for r in references)
    assert found.error_rate == pytest.approx(errors / sum(map(len, references)))


def test_labels_that_the_protocol_lacks_are_named_before_features(tiny_corpus, config, tmp_path):
    data = as_phones(tiny_corpus, tmp_path / "data", (*PHONES, "ngg"))
    experiment = Experiment.load(config, ["training.protocol=kaldi"])
    with pytest.raises(InputError, match=r"protocol = 'kaldi' does not know the label 'ngg'; take"):
        train(experiment, data, tmp_path / "exp", Workers())
    assert not (data / "features").exists()


def named(dataset, model, caplog):
    name_unusable(dataset, model, "dev")
    return caplog.text
