"""Images all the way: folders of files, training of each encoder, reading, a report."""

import json

import numpy as np
import pytest
import torch

import seqlabel
from seqlabel.cli import main
from seqlabel.errors import InputError
from seqlabel.inputs.image import Image, write_image

CONFIG = """
[features]
kind = "image"
height = 10
scale = "larger"

[front_end]
normalise = "none"

[model]
encoder = "{encoder}"
hidden = 8
layers = 1
forget_bias = 1.0

[model.mdlstm]
cells = [4, 8]
tanh = [6]
blocks = [[1, 2], [2, 3]]
forget = "mean"

[model.conv]
channels = [4, 8]
pools = [[2, 2], [1, 2]]

[batches]
frames = 400
utterances = 8

[augmentation.image]
shift = 0.3
noise = 0.02

[training]
threads = 1

[[phases]]
epochs = {epochs}
patience = 0
learning_rate = 2e-2
"""

SHAPES = {"|": np.ones((7, 2)), "-": np.ones((2, 6))}


def line(text, rng):
    """A sheet of 8 to 10 rows with bars upright and lying."""
    pixels = np.ones((int(rng.integers(8, 11)), 2 + 8 * len(text)), np.float32)
    for n, character in enumerate(text):
        bar = SHAPES[character]
        top = 4 if character == "-" else int(rng.integers(0, 2))
        pixels[top : top + bar.shape[0], 2 + 8 * n : 2 + 8 * n + bar.shape[1]] = 0.1
    return Image(pixels)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name, count in {"train": 48, "dev": 8, "test": 8}.items():
        (folder / "own" / name).mkdir(parents=True)
        for n in range(count):
            text = "".join(rng.choice(list(SHAPES), int(rng.integers(1, 4))))
            path = folder / "own" / name / f"{n}.png"
            write_image(path, line(text, rng))
            path.with_suffix(".txt").write_text(text)
    assert main(["prepare", "folder", str(folder / "own"), str(folder / "data")]) == 0
    return folder / "data"


def train(data, out, encoder, epochs=12, *more):
    config = out.with_suffix(".toml")
    config.write_text(CONFIG.format(encoder=encoder, epochs=epochs))
    arguments = ["train", str(config), "--data", str(data), "--out", str(out), *more]
    assert main(arguments) == 0
    return out


@pytest.mark.parametrize("encoder", ["mdlstm", "conv"])
def test_an_encoder_learns_and_reads(data, tmp_path, capsys, encoder):
    model = train(data, tmp_path / encoder, encoder)
    hypotheses, report = tmp_path / "hyp.jsonl", tmp_path / "report"
    test = data / "test.jsonl"
    decode = ["decode", str(model), str(test), "--out", str(hypotheses), "--evidence", "3"]
    assert main(decode) == 0
    assert main(["score", str(test), str(hypotheses), "--out", str(report)]) == 0
    score = json.loads((report / "score.json").read_text())
    assert score["metric"] == "CER"
    assert score["kind"] == "image"
    assert score["rate"] < 0.2
    assert "data:image/png" in (report / "report.html").read_text()
    first = json.loads(test.read_text().splitlines()[0])
    path = str(data / first["source"])
    capsys.readouterr()
    assert main(["read", str(model), path]) == 0
    recognizer = seqlabel.load(model)
    found = recognizer.read(path)
    assert capsys.readouterr().out.strip() == f"{path}: {found.text}"
    spans = [(span.start, span.end) for span in found.spans]
    assert all(0 <= start < end <= 2 + 8 * 3 + 2 for start, end in spans)
    assert spans == sorted(spans)
    with pytest.raises(InputError, match="this model reads image, not Audio"):
        recognizer.read(seqlabel.inputs.Audio(np.zeros(100), 16000))
    assert main(["export", str(model), str(tmp_path / "model.onnx")]) == 2
    assert "networks over pixels have no ONNX form" in capsys.readouterr().err
    pixels = line("|-", np.random.default_rng(1))
    assert recognizer.read(pixels).labels == recognizer.read(pixels.pixels).labels


def test_runs_of_before_the_encoders_had_names_go_on(data, tmp_path):
    text = CONFIG.format(encoder="lstm", epochs=2)
    before, after = text.index("[model.mdlstm]"), text.index("[batches]")
    config, model = tmp_path / "run.toml", tmp_path / "run"
    config.write_text(text[:before] + text[after:])
    arguments = ["train", str(config), "--data", str(data), "--out", str(model)]
    assert main(arguments) == 0
    path = model / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    for key in ("encoder", "mdlstm", "conv"):
        del state["config"]["model"][key]
    torch.save(state, path)
    assert main([*arguments, "--resume"]) == 0
    state["config"]["model"]["hidden"] = 9
    torch.save(state, path)
    assert main([*arguments, "--resume"]) == 2


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["front_end.stack=2"], "front_end.stack = 1"),
        (["features.height=4", "features.scale=never"], "rows, but features.height = 4"),
        (["features.kind=ink_25"], "unknown option|image, where features.kind"),
        (["augmentation.image.slant=-1"], "not be negative"),
        (["training.bf16=true"], "training.bf16 needs LSTM layers over frames"),
    ],
)
def test_configurations_that_cannot_be_trained(data, tmp_path, capsys, overrides, reason):
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(encoder="mdlstm", epochs=1))
    more = [word for override in overrides for word in ("--set", override)]
    arguments = ["train", str(config), "--data", str(data), "--out", str(tmp_path / "x"), *more]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert any(part in error for part in reason.split("|"))
