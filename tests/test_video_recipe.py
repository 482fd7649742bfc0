"""recipes/video: what it draws, the published network, and videos that are refused."""

import importlib
import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError

UNEVEN = np.empty(2, dtype=object)
UNEVEN[0], UNEVEN[1] = np.zeros((1, 4, 4)), np.zeros((1, 4, 5))
RECIPE = Path(__file__).parents[1] / "recipes" / "video"


@pytest.fixture
def load(monkeypatch):
    """Imports a module of the recipe as its script does, from its own folder."""
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module


def test_the_network_of_the_paper_has_its_weights(load):
    digits = load("digits")
    for channels, weights in (
        ((256,), 13_524_496),
        ((128, 128), 10_042_896),
        ((128, 64, 64), 7_585_296),
    ):
        task = replace(digits.PUBLISHED, channels=channels)
        network = digits.ConvNetwork(task)
        assert sum(weight.numel() for weight in network.parameters()) == weights


def test_digits_move_on_and_bounce(load):
    digits = load("digits")
    image = np.zeros((1, 8, 8))
    image[0, 0, 0] = 1.0  # one bright pixel, whose way is seen
    x = digits.videos(image, digits.Task(frames=20), 4, np.random.default_rng(0))
    assert x.shape == (4, 40, 1, 16, 16)
    places = x.flatten(2).argmax(dim=2)
    rows, columns = places // 16, places % 16
    assert (x.flatten(2).sum(dim=2) == 1).all()
    for way in (rows, columns):
        assert 0 <= int(way.min()) <= int(way.max()) <= 8
        assert int(way.diff(dim=1).abs().max()) <= 3
    assert len(set(rows.flatten().tolist())) > 4
    patches = digits.to_patches(x, 4)
    assert patches.shape == (4, 40, 16, 4, 4)
    logits = digits.ConvNetwork(digits.Task())(x[:, :5])
    assert logits.shape == (4, 5, 1, 16, 16)
    assert digits.PlainNetwork(digits.Task(cells=4))(x[:, :5]).shape == logits.shape
    exact = torch.where(x[:, 20:] > 0, 40.0, -40.0)
    assert float(digits.cross_entropy(exact, x)) < 1e-6


@pytest.mark.parametrize("edges", ["bounce", "wrap"])
def test_a_square_moves_by_one_pixel_and_keeps_its_shape(load, edges):
    square = load("square")
    x = square.videos(40, 12, edges, np.random.default_rng(0))
    assert x.shape == (40, square.FRAMES, 1, 12, 12)
    assert (x.sum(dim=(2, 3, 4)) == square.SIDE**2).all()
    frames = x[:, :, 0].numpy()
    moves = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    turned = 0
    for video in frames:
        taken = []
        for before, after in itertools.pairwise(video):
            fitting = [m for m in moves if np.array_equal(np.roll(before, m, (0, 1)), after)]
            assert len(fitting) == 1  # rolling wraps, and no bounce puts a square over a border
            taken.append(fitting[0])
        turned += len(set(taken)) > 1
    assert (turned == 0) if edges == "wrap" else (turned > 20)
    over = frames[:, :, 0].any(axis=2) & frames[:, :, -1].any(axis=2)
    assert over.any() == (edges == "wrap")
    for network in (square.ConvNetwork(12, 2), square.PlainNetwork(12, 3)):
        logits = network(x[:3])
        assert logits.shape == x[:3].shape
        changed = x[:3].clone()
        changed[:, 9:] = 0
        torch.testing.assert_close(network(changed)[:, :9], logits[:, :9])  # from the past only
    next_frame = torch.where(x.roll(-1, 1) > 0, 40.0, -40.0)
    assert float(square.cross_entropy(next_frame, x)) < 1e-6
    even = float(square.cross_entropy(torch.zeros_like(x), x))
    assert even == pytest.approx(12**2 * np.log(2), rel=1e-5)


def test_weights_are_those_of_the_lowest_dev_loss(load):
    fit = load("fit")
    network = torch.nn.Linear(1, 1, bias=False)
    seen = []

    def dev_loss():
        seen.append(network.weight.item())
        return abs(seen[-1] - 20)

    updates = fit.fit(network, lambda: -network.weight.sum(), 0.005, 0.1, 1.0, dev_loss)
    assert len(seen) == 1 + (updates - 1) // fit.DEV
    assert network.weight.item() == min(seen, key=lambda weight: abs(weight - 20))
    assert fit.fit(network, lambda: network.weight.sum(), 0.0, 0.1, 1.0) == 1


def test_gestures_move_the_hand_as_they_are_called(load):
    hands = load("hands")
    rng = np.random.default_rng(0)
    columns = np.arange(hands.SIZE)
    for gesture, sign in (("left", -1), ("right", 1)):
        video = hands.video([gesture], rng)
        assert video.dtype == np.uint8
        assert video.shape[1:] == (1, hands.SIZE, hands.SIZE)
        light = np.maximum(video[:, 0].astype(float) - 60, 0)
        centre = (light.sum(axis=1) * columns).sum(axis=1) / light.sum(axis=(1, 2))
        way = centre - centre[0]
        assert sign * way[np.abs(way).argmax()] > 2
    videos, labels = hands.corpus(5, seed=1)
    again, _ = hands.corpus(5, seed=1)
    assert all(map(np.array_equal, videos, again))
    assert {label for row in labels for label in row} <= set(hands.GESTURES)


def test_videos_come_back_and_are_labelled(load, tmp_path):
    videos, hands, gestures = load("videos"), load("hands"), load("gestures")
    drawn, labels = hands.corpus(3, seed=0)
    videos.write_videos(tmp_path, drawn, labels)
    found, targets, names = videos.read_videos(tmp_path, gestures.ALPHABET)
    assert names == ["00000.npy", "00001.npy", "00002.npy"]
    for video, original in zip(found, drawn, strict=True):
        np.testing.assert_allclose(video, original / 255, atol=1e-6)
    assert [gestures.ALPHABET.decode(row) for row in targets] == list(map(tuple, labels))
    for encoder in ("convlstm", "frames"):
        torch.manual_seed(0)
        network = gestures.Network(encoder)
        x, lengths, *_ = gestures.batch_of(found, targets, [0, 1, 2])
        logits = network(x, lengths)
        assert logits.shape == (3, max(map(len, drawn)), len(gestures.ALPHABET))
        n = int(lengths.argmin())
        alone = network(x[n : n + 1, : lengths[n]], lengths[n : n + 1])[0]
        torch.testing.assert_close(logits[n, : lengths[n]], alone, rtol=1e-4, atol=1e-5)
        assert gestures.error_rate(network, found, targets) >= 0


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (UNEVEN, "frames of different sizes"),
        (np.zeros((3, 4, 4)), r"\(3, 4, 4\) where \(T, C, H, W\) is expected"),
        (np.zeros((0, 1, 4, 4)), r"\(0, 1, 4, 4\) where \(T, C, H, W\)"),
        (np.full((2, 1, 4, 4), np.nan), "not finite numbers"),
        (np.zeros((2, 1, 4, 4), np.int64), "not finite numbers"),
        (np.zeros((2, 1, 4, 5)), r"frames of \(1, 4, 5\), the others have \(1, 4, 4\)"),
        (b"\x93NUMPY cut", "not a whole .npy file"),
        (None, "no such file"),
    ],
)  # fmt: skip
def test_a_video_that_cannot_be_used_is_named(load, tmp_path, video, message):
    videos = load("videos")
    np.save(tmp_path / "a.npy", np.zeros((2, 1, 4, 4), np.uint8))
    if isinstance(video, bytes):
        (tmp_path / "b.npy").write_bytes(video)
    elif video is not None:
        np.save(tmp_path / "b.npy", video, allow_pickle=True)
    (tmp_path / videos.LIST).write_text("a.npy\tup\nb.npy\tup\n")
    with pytest.raises(InputError, match=f"b.npy: .*{message}") as caught:
        videos.read_videos(tmp_path, Alphabet(["up"]))
    assert "\n" not in str(caught.value)


def test_digits_want_scikit_learn(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match="pip install scikit-learn"):
        load("digits").load_digits()


def test_bad_lists_are_one_line_and_exit_code_2(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "list.tsv").write_text("a.npy up\n")
    for name in ("dev", "test"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "list.tsv").write_text("")
    command = [sys.executable, str(RECIPE / "gestures.py"), "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        f"gestures.py: {tmp_path}/train/list.tsv:1: a file, a tab and labels are expected"
    ]
