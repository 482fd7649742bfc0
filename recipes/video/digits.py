"""Predicts the next frames of a video of moving, bouncing digits.

    python digits.py [--network convlstm|lstm] [--size 16|32|64] [--minutes M] [--seed N]

After Shi et al. 2015, section 4.1, with the 8 x 8 digits of scikit-learn instead of MNIST. An
encoder reads the first frames, a forecaster continues from its states without input, and a 1 x 1
convolution of all its states gives the pixels. One digit moves over 16 x 16 pixels, or two over
32 x 32; 5 frames are read and 5 predicted. With --size 64, two digits move over 64 x 64 pixels; 10
frames are read and 10 predicted by the network of the paper (4 x 4 patches, 5 x 5 kernels, 128, 64
and 64 maps).
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fit import fit
from torch import Tensor, nn

from seqlabel.cli.failures import run_command
from seqlabel.errors import InputError
from seqlabel.files import write_json
from seqlabel.lstm import LSTM, ConvLSTM


@dataclass(frozen=True)
class Task:
    """The size of videos and networks.

    size: width and height in pixels. digits: per video. scale: enlargement of the digits. frames:
    number of frames read, and of frames predicted. patch, channels, kernel: of the convolutional
    network. cells: of the other one. batch: videos per update.
    """

    size: int = 16
    digits: int = 1
    scale: int = 1
    frames: int = 5
    patch: int = 2
    channels: tuple[int, ...] = (16, 16)
    kernel: int = 3
    cells: int = 256
    batch: int = 16


PUBLISHED = Task(64, 2, 3, 10, 4, (128, 64, 64), 5, 2048, 4)
TASKS = {16: Task(), 32: Task(32, 2, 2, 5, 4, (32, 32)), 64: PUBLISHED}
"""By the size of the frames."""

RATES = {"convlstm": 1e-2, "lstm": 3e-3}
"""Learning rates: for each network the better of two that were tried."""


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 8, 8), 0 ... 1, for training, and the last 500, by other writers, for testing."""
    try:
        from sklearn import datasets
    except ImportError:
        raise InputError("the digits need scikit-learn: pip install scikit-learn") from None
    images = datasets.load_digits().images / 16
    return images[:-500], images[-500:]


def videos(images: np.ndarray, task: Task, count: int, rng: np.random.Generator) -> Tensor:
    """(count, 2 * frames, 1, size, size): digits on straight paths, reflected at the borders."""
    steps, wide = 2 * task.frames, 8 * task.scale
    shown = np.zeros((count, steps, task.size, task.size), np.float32)
    room = task.size - wide
    for video in shown:
        for _ in range(task.digits):
            image = np.kron(images[rng.integers(len(images))], np.ones((task.scale, task.scale)))
            angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.06, 0.12) * task.size
            start = rng.uniform(0, room, 2)
            for t, frame in enumerate(video):
                way = start + t * speed * np.array([np.sin(angle), np.cos(angle)])
                row, column = np.round(room - np.abs(way % (2 * room) - room)).astype(int)
                part = frame[row : row + wide, column : column + wide]
                np.maximum(part, image, out=part)
    return torch.from_numpy(shown)[:, :, None]


def to_patches(x: Tensor, size: int) -> Tensor:
    """(B, T, 1, H, W) -> (B, T, size², H / size, W / size)."""
    return F.pixel_unshuffle(x.flatten(0, 1), size).unflatten(0, x.shape[:2])


class ConvNetwork(nn.Module):
    """Encoder and forecaster of convolutional LSTMs: x (B, T, 1, H, W) -> logits of the next T."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.patch, up, down = task.patch, task.channels, task.channels[::-1]
        below, kernel = [task.patch**2, *up[:-1]], task.kernel
        self.encoder = nn.ModuleList(
            ConvLSTM(i, n, kernel, forget_bias=1.0) for i, n in zip(below, up, strict=True)
        )
        self.forecaster = nn.ModuleList(
            ConvLSTM(i, n, kernel, forget_bias=1.0)
            for i, n in zip([0, *down[:-1]], down, strict=True)
        )
        self.output = nn.Conv2d(sum(up), task.patch**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = to_patches(x, self.patch)
        states = []
        for layer in self.encoder:
            maps, state = layer(maps)
            states.append(state)
        y, outputs = maps[:, :, :0], []
        for layer, state in zip(self.forecaster, reversed(states), strict=True):
            y, _ = layer(y, None, state)
            outputs.append(y)
        pixels = self.output(torch.cat(outputs, dim=2).flatten(0, 1))
        return F.pixel_shuffle(pixels, self.patch).unflatten(0, x.shape[:2])


class PlainNetwork(nn.Module):
    """The same with LSTMs that read each frame as a vector."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.encoder = LSTM(task.size**2, task.cells, forget_bias=1.0)
        self.forecaster = LSTM(1, task.cells, forget_bias=1.0)
        self.output = nn.Linear(task.cells, task.size**2)

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.encoder(x.flatten(2))
        y, _ = self.forecaster(x.new_zeros(*x.shape[:2], 1), None, state)
        return self.output(y).unflatten(2, x.shape[2:])


def cross_entropy(logits: Tensor, x: Tensor) -> Tensor:
    """Nats per frame, summed over pixels, of the predicted half of x (B, 2T, 1, H, W)."""
    predicted = x[:, x.shape[1] // 2 :]
    return F.binary_cross_entropy_with_logits(logits, predicted, reduction="sum") / (
        predicted.shape[0] * predicted.shape[1]
    )


def baselines(x: Tensor) -> dict[str, float]:
    """The lower bound, and the scores of the mean brightness and of repeating the last frame."""
    half = x.shape[1] // 2
    predicted, mean = x[:, half:], x.mean()
    kept = x[:, half - 1 : half].expand_as(predicted).clamp(0.01, 0.99)
    guesses = {
        "lower bound": predicted,
        "mean brightness": mean.expand_as(predicted),
        "last frame repeated": kept,
    }
    return {
        name: float(cross_entropy(guess.clamp(1e-7, 1 - 1e-7).logit(), x))
        for name, guess in guesses.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("convlstm", "lstm"), default="convlstm")
    parser.add_argument("--size", type=int, choices=TASKS, default=16, help="pixels of a side")
    parser.add_argument("--rate", type=float, help="learning rate")
    parser.add_argument("--minutes", type=float, default=3.0, help="of processor time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    task = TASKS[options.size]
    seen, unseen = load_digits()
    test = videos(unseen, task, 16 if task is PUBLISHED else 500, np.random.default_rng(1))
    torch.manual_seed(options.seed)
    rng = np.random.default_rng([2, options.seed])
    network = ConvNetwork(task) if options.network == "convlstm" else PlainNetwork(task)
    rate = options.rate or RATES[options.network]
    brightness = videos(seen, task, 50, np.random.default_rng(3)).mean()
    nn.init.constant_(network.output.bias, float(brightness.logit()))  # otherwise learned first

    def draw_loss() -> Tensor:
        x = videos(seen, task, task.batch, rng)
        return cross_entropy(network(x[:, : task.frames]), x)

    updates = fit(network, draw_loss, options.minutes, rate, clip=10.0)
    with torch.no_grad():
        parts = [cross_entropy(network(x[:, : task.frames]), x) for x in test.split(50)]
    sizes = [len(x) for x in test.split(50)]
    nats = float(np.average([float(part) for part in parts], weights=sizes))
    weights = sum(weight.numel() for weight in network.parameters())
    print(f"{options.network}: {weights} weights, {updates} updates, {nats:.1f} nats per frame")
    for name, guessed in baselines(test).items():
        print(f"  {name}: {guessed:.1f}")
    if options.json:
        write_json(options.json, {"network": options.network, "size": options.size,
                                  "weights": weights, "updates": updates, "nats": nats,
                                  "baselines": baselines(test)})  # fmt: skip


if __name__ == "__main__":
    sys.exit(run_command("digits.py", main))
