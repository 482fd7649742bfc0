"""Labels gestures of a moving hand with CTC: a convolutional LSTM and a baseline.

    python gestures.py [--data DIR] [--encoder convlstm|frames] [--minutes M] [--seed N]

Writes the videos into DIR unless they exist, trains until the processor time is used up, and
reports the label error rate on videos that were not used in training. `frames` processes each frame
separately (two convolutions, no memory) instead of using the convolutional LSTM.
"""

import argparse
import sys
import time
from pathlib import Path

import hands
import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from videos import LIST, read_videos, write_videos

from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.files import write_json
from seqlabel.lstm import LSTM, ConvLSTM
from seqlabel.models.ctc import best_path, ctc_loss

ALPHABET = Alphabet(hands.GESTURES)
SETS = {"train": (600, 1), "dev": (100, 2), "test": (200, 3)}
"""Number of videos per set, and the seed of the set."""


class Network(nn.Module):
    """Pooled feature maps of each frame, then a BLSTM, for CTC. x: (B, T, C, H, W)."""

    def __init__(self, encoder: str, channels: int = 8, hidden: int = 32) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2)
        if encoder == "convlstm":
            self.maps = ConvLSTM(1, channels, 3, forget_bias=1.0)
        else:
            self.maps = nn.Sequential(
                nn.Conv2d(1, channels, 3, padding=1), nn.Tanh(),
                nn.Conv2d(channels, channels, 3, padding=1), nn.Tanh(),
            )  # fmt: skip
        side = hands.SIZE // 4
        self.norm = nn.LayerNorm(channels * side * side)
        self.blstm = LSTM(channels * side * side, hidden, bidirectional=True)
        self.output = nn.Linear(2 * hidden, len(ALPHABET))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, T, K)."""
        frames = self.pool(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        if isinstance(self.maps, ConvLSTM):
            maps, _ = self.maps(frames, lengths)
        else:
            maps = self.maps(frames.flatten(0, 1)).unflatten(0, x.shape[:2])
        small = self.pool(maps.flatten(0, 1)).unflatten(0, x.shape[:2])
        y, _ = self.blstm(self.norm(small.flatten(2)), lengths)
        return self.output(y)


def batch_of(videos: list[np.ndarray], targets: list[list[int]], chosen: list[int]):
    x = pad_sequence([torch.from_numpy(videos[n]) for n in chosen], batch_first=True)
    y = pad_sequence([torch.tensor(targets[n]) for n in chosen], batch_first=True)
    lengths = torch.tensor([len(videos[n]) for n in chosen])
    return x, lengths, y, torch.tensor([len(targets[n]) for n in chosen])


def error_rate(network: Network, videos: list[np.ndarray], targets: list[list[int]]) -> float:
    """Substituted, deleted and inserted labels per reference label."""
    errors = 0
    with torch.no_grad():
        for start in range(0, len(videos), 50):
            chosen = list(range(start, min(start + 50, len(videos))))
            x, lengths, _, _ = batch_of(videos, targets, chosen)
            for n, found in zip(chosen, best_path(network(x, lengths), lengths), strict=True):
                errors += Levenshtein.distance(targets[n], found)
    return errors / sum(map(len, targets))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="DIR")
    parser.add_argument("--encoder", choices=("convlstm", "frames"), default="convlstm")
    parser.add_argument("--rate", type=float, default=1e-2, help="learning rate")
    parser.add_argument("--minutes", type=float, default=3.0, help="of processor time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    for name, (count, seed) in SETS.items():
        if not (options.data / name / LIST).is_file():
            write_videos(options.data / name, *hands.corpus(count, seed))
    sets = {name: read_videos(options.data / name, ALPHABET) for name in SETS}
    videos, targets, _ = sets["train"]

    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    network = Network(options.encoder)
    optimiser = torch.optim.Adam(network.parameters(), lr=options.rate)
    started, epoch, best, kept = time.process_time(), 0, np.inf, {}
    while (spent := time.process_time() - started) < 60 * options.minutes:
        for group in optimiser.param_groups:
            group["lr"] = options.rate * (1.0 if spent < 40 * options.minutes else 0.2)
        for chosen in np.array_split(random.permutation(len(videos)), len(videos) // 20):
            x, *rest = batch_of(videos, targets, chosen.tolist())
            x = x + 0.1 * torch.randn_like(x)
            optimiser.zero_grad()
            ctc_loss(network(x, rest[0]), *rest).mean().backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
        epoch += 1
        dev = error_rate(network, *sets["dev"][:2])
        if dev < best:
            best, kept = dev, {k: v.clone() for k, v in network.state_dict().items()}
        print(f"epoch {epoch:3}  {spent:4.0f} s  dev error {100 * dev:5.1f} %", file=sys.stderr)
    network.load_state_dict(kept)
    test = error_rate(network, *sets["test"][:2])
    weights = sum(weight.numel() for weight in network.parameters())
    print(f"{options.encoder}: {weights} weights, dev {100 * best:.1f} %, test {100 * test:.1f} %")
    if options.json:
        write_json(options.json, {"encoder": options.encoder, "weights": weights, "epochs": epoch,
                                  "dev_error_rate": best, "test_error_rate": test})  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"gestures.py: {error}", file=sys.stderr)
        sys.exit(2)
