"""Every criterion goes the whole way: from a manifest through training to labels with times."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.corpora.manifest import Segment, read_manifest, write_manifest
from seqlabel.errors import InputError
from seqlabel.files import write_jsonl
from seqlabel.models.criteria import Ctc
from seqlabel.models.hierarchy import HierarchicalCtc
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train
from seqlabel.training.run_directory import read_log


@pytest.mark.parametrize("kind", ["ctc", "transducer", "framewise"])
def test_from_manifest_to_labels(kind, segmented, config, tmp_path):
    overrides = [f"criterion.kind={kind}", "phases=[{epochs=2}]"]
    train(Experiment.load(config, overrides), segmented, tmp_path / "exp", Workers())
    model = seqlabel.load(tmp_path / "exp")
    utterances = read_manifest(segmented / "dev.jsonl")
    outputs = [output for _, output in model.outputs(utterances)]
    results = model.decode(outputs)
    for utterance, result in zip(utterances, results, strict=True):
        assert set(result.labels) <= set(model.alphabet.symbols)
        assert model.read(utterance.source).labels == result.labels
    if kind == "transducer":
        with pytest.raises(InputError, match="no label probabilities per frame"):
            _ = outputs[0].log_probs
    else:
        np.testing.assert_allclose(np.exp(outputs[0].log_probs).sum(axis=1), 1, rtol=1e-4)
    with open(tmp_path / "exp" / "log.csv") as log:
        last = list(csv.DictReader(log))[-1]
    assert (last["dev_frame_error_rate"] != "") == (kind == "framewise")
    if kind == "framewise":
        assert float(last["dev_frame_error_rate"]) == pytest.approx(
            frame_error_rate(utterances, outputs, model.alphabet), abs=1e-6
        )


@pytest.mark.parametrize("features", ["ink_delta", "ink_raw"])
def test_the_times_of_the_pen_reach_the_cells(features, tiny_corpus, config, tmp_path):
    """Trained with times; alone and in a batch read the same; other times, another output."""
    overrides = [
        f"features.kind={features}", 'model.cell={decay="log", time_unit=0.01}',
        "phases=[{epochs=1}]",
    ]  # fmt: skip
    train(Experiment.load(config, overrides), tiny_corpus, tmp_path / "exp", Workers())
    model = seqlabel.load(tmp_path / "exp")
    utterances = read_manifest(tiny_corpus / "dev.jsonl")
    for utterance, output in model.outputs(utterances):
        ink = seqlabel.inputs.read_ink(utterance.source)
        np.testing.assert_allclose(model.output(ink).log_probs, output.log_probs, atol=1e-4)
        given = model._forward.prepare(ink)
        late = replace(given, frames=replace(given.frames, times=given.frames.times * 9))
        (other,) = model._forward([late])
        assert np.abs(other.log_probs - output.log_probs).max() > 1e-4
        given.frames.times[2] = np.nan
        with pytest.raises(InputError, match="frame 2 has the time nan s after"):
            next(model._forward([given]))


def frame_error_rate(utterances, outputs, alphabet) -> float:
    """Frame by frame: the segment that a frame's middle lies in against its best label."""
    wrong = total = 0
    for utterance, output in zip(utterances, outputs, strict=True):
        middles = output.times + output.period / 2
        for t, scores in zip(middles, output.log_probs, strict=True):
            inside = [s.label for s in utterance.segments if s.start <= t < s.end]
            if inside:
                total += 1
                wrong += alphabet.decode([int(scores.argmax())])[0] != inside[0]
    return wrong / total


def test_levels_from_json_lines_to_two_reports(tiny_corpus, config, tmp_path, capsys):
    """Letters below words: prepared, trained, decoded in one call, scored at both levels."""
    rows = []
    for name in ("train", "dev", "test"):
        for utterance in read_manifest(tiny_corpus / f"{name}.jsonl"):
            letters = [label for label in utterance.labels if label != " "]
            row = {"source": str(utterance.source), "id": utterance.id, "set": name}
            rows.append({**row, "text": utterance.text, "levels": {"character": letters}})
    write_jsonl(tmp_path / "lines.jsonl", rows)
    data, exp = str(tmp_path / "data"), str(tmp_path / "exp")
    hypotheses, test = str(tmp_path / "hyp.jsonl"), f"{data}/dev.jsonl"
    assert main(["prepare", "manifest", str(tmp_path / "lines.jsonl"), data, "--set", "unit=word",
                 "--set", "kind=ink"]) == 0  # fmt: skip
    overrides = ["criterion={kind='levels', hidden=8}", "phases=[{epochs=1}]"]
    arguments = [text for override in overrides for text in ("--set", override)]
    assert main(["train", str(config), "--data", data, "--out", exp, *arguments]) == 0
    assert main(["decode", exp, test, "--out", hypotheses]) == 0
    utterances = read_manifest(Path(test))
    capsys.readouterr()
    for level, count in (
        ([], sum(len(u.labels) for u in utterances)),
        (["--level", "character"], sum(len(u.levels["character"]) for u in utterances)),
    ):
        assert main(["score", test, hypotheses, "--json", *level]) == 0
        totals = json.loads(capsys.readouterr().out)
        assert totals["reference_tokens"] == count
        assert totals["metric"] == ("CER" if level else "WER")
    model = seqlabel.load(exp)
    result = model.read(utterances[0].source)
    assert set(result.levels) == {"character"}
    output = model.output(seqlabel.inputs.read_ink(utterances[0].source))
    assert output.log_probs.shape[1] == len(model.alphabet)
    with pytest.raises(InputError, match="several levels take whole signals only"):
        model.network.stream()
    assert main(["score", test, hypotheses, "--level", "phone"]) == 2
    assert "no level 'phone' (there is character)" in capsys.readouterr().err


def test_words_alone_are_learned_from_the_same_data(segmented, config, tmp_path):
    """Other criteria leave the levels alone, and levels where there are none are CTC."""
    alphabet = Alphabet.load(segmented / "alphabet.json")
    for kind, expected in (("ctc", Ctc), ("levels", HierarchicalCtc)):
        overrides = [f"criterion.kind={kind}", "phases=[{epochs=1}]"]
        run = train(Experiment.load(config, overrides), segmented, tmp_path / kind, Workers())
        assert isinstance(run.model.criterion, expected)
        assert run.train.alphabet == alphabet
    losses = [
        [row["train_loss"] for row in read_log(tmp_path / kind / "log.csv")]
        for kind in ("ctc", "levels")
    ]
    assert losses[0] == losses[1]


def test_utterances_without_hand_labels_are_left_out_of_framewise_training(
    segmented, config, tmp_path, caplog
):
    """One that was not segmented, and one whose segments lie between two frames."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "alphabet.json").write_bytes((segmented / "alphabet.json").read_bytes())
    for name in ("train", "dev"):
        utterances = read_manifest(segmented / f"{name}.jsonl")
        first, second = utterances[:2]
        label = second.labels[0]
        utterances[0] = replace(first, segments=())
        utterances[1] = replace(second, segments=(Segment(label, 1e-7, 2e-7),))
        write_manifest(data / f"{name}.jsonl", utterances)
    overrides = ["criterion.kind=framewise", "phases=[{epochs=1, monitor='frame_error'}]"]
    experiment = Experiment.load(config, [*overrides, "batches.utterances=1"])
    run = train(experiment, data, tmp_path / "exp", Workers())
    assert len(run.train) == 22
    skipped = json.loads((tmp_path / "exp" / "run.json").read_text())["skipped"]
    assert list(skipped) == [u.id for u in read_manifest(data / "train.jsonl")[:2]]
    assert all(reason.startswith("no hand segmentation") for reason in skipped.values())
    assert "dev: 2 of 6 utterances have no loss" in caplog.text
    # the dev scores are those of the four that are left
    (row,) = read_log(tmp_path / "exp" / "log.csv")
    dev = read_manifest(data / "dev.jsonl")[2:]
    write_manifest(data / "dev.jsonl", dev)
    train(experiment, data, tmp_path / "rest", Workers())
    (other,) = read_log(tmp_path / "rest" / "log.csv")
    for name in ("dev_loss", "dev_frame_error_rate"):
        assert float(row[name]) == pytest.approx(float(other[name]), rel=1e-6), name
    write_manifest(data / "dev.jsonl", [replace(u, segments=()) for u in dev])
    with pytest.raises(InputError, match=r"dev: no frames to score: .* \(no hand segmentation"):
        train(experiment, data, tmp_path / "none", Workers())
