"""Predicts the next frames of a video of moving, bouncing digits.

    python digits.py [--network convlstm|lstm] [--published] [--minutes M] [--seed N]

After Shi et al. 2015, section 4.1, with the 8 x 8 digits of scikit-learn instead of MNIST. An
encoder reads the first frames, a forecaster continues from its states without input, and a 1 x 1
convolution of all its states gives the pixels. By default, one digit moves over 16 x 16 pixels; 5
frames are read and 5 predicted. With --published, two digits move over 64 x 64 pixels; 10 frames
are read and 10 predicted by the network of the paper (4 x 4 patches, 5 x 5 kernels, 128, 64 and 64
maps).
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlabel.errors import InputError
from seqlabel.files import write_json
from seqlabel.lstm import LSTM, ConvLSTM


@dataclass(frozen=True)
class Task:
    """The size of videos and networks.

    size: width and height in pixels. digits: per video. scale: enlargement of the digits. frames:
    number of frames read, and of frames predicted. patch, channels, kernel: of the network. batch:
    videos per update.
    """

    size: int = 16
    digits: int = 1
    scale: int = 1
    frames: int = 5
    patch: int = 2
    channels: tuple[int, ...] = (16, 16)
    kernel: int = 3
    batch: int = 16


PUBLISHED = Task(64, 2, 3, 10, 4, (128, 64, 64), 5, 4)


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

    def __init__(self, task: Task, cells: int = 256) -> None:
        super().__init__()
        self.encoder = LSTM(task.size**2, cells, forget_bias=1.0)
        self.forecaster = LSTM(1, cells, forget_bias=1.0)
        self.output = nn.Linear(cells, task.size**2)

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
    parser.add_argument("--published", action="store_true", help="the size of the paper")
    parser.add_argument("--minutes", type=float, default=3.0, help="of processor time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    task = PUBLISHED if options.published else Task()
    seen, unseen = load_digits()
    test = videos(unseen, task, 16 if options.published else 500, np.random.default_rng(1))
    torch.manual_seed(options.seed)
    random = np.random.default_rng([2, options.seed])
    network = ConvNetwork(task) if options.network == "convlstm" else PlainNetwork(task)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    started, count = time.process_time(), 0
    while (spent := time.process_time() - started) < 60 * options.minutes:
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 if spent < 40 * options.minutes else 5e-4
        x = videos(seen, task, task.batch, random)
        optimiser.zero_grad()
        loss = cross_entropy(network(x[:, : task.frames]), x)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        count += task.batch
        if count // task.batch % 50 == 1:
            print(f"{count:6} videos  {spent:4.0f} s  {loss.item():8.2f} nats", file=sys.stderr)
    with torch.no_grad():
        parts = [cross_entropy(network(x[:, : task.frames]), x) for x in test.split(50)]
    sizes = [len(x) for x in test.split(50)]
    found = float(np.average([float(part) for part in parts], weights=sizes))
    weights = sum(weight.numel() for weight in network.parameters())
    print(f"{options.network}: {weights} weights, {count} videos, {found:.1f} nats per frame")
    for name, nats in baselines(test).items():
        print(f"  {name}: {nats:.1f}")
    if options.json:
        write_json(options.json, {"network": options.network, "weights": weights, "videos": count,
                                  "nats": found, "baselines": baselines(test)})  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"digits.py: {error}", file=sys.stderr)
        sys.exit(2)
