"""Time of the losses with gradient, compared with torch's and straightforward implementations.

    python scripts/bench_loss.py [--quick] [--threads N] [--json FILE]

CTC at the shapes of TIMIT phones and of handwriting, against torch.nn.functional.ctc_loss; the
transducer at T = 300, S = 40, K = 62, B = 16, against two batched implementations in torch: node by
node as in the equations, and along the anti-diagonals of the lattice (seqlabel's own for other
devices). Random logits; the contestants in turn, medians of interleaved rounds. Freed memory is
kept and denormals are flushed for all, as in training. With one thread (the default) processor time
is measured, which depends little on other work; with more, wall time.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from seqlabel.files import write_json
from seqlabel.lstm.runtime import settle
from seqlabel.models.ctc import ctc_loss
from seqlabel.models.transducer_loss import diagonal_loss, step_log_probs, transducer_loss

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def random_batch(
    B: int, frames: tuple[int, int], K: int, S: int, lattice: bool = False, seed: int = 0
) -> Batch:
    """Logits, lengths (mean and deviation in `frames`), targets and their lengths (about S)."""
    generator = torch.Generator().manual_seed(seed)
    mean, deviation = frames
    lengths = (mean + deviation * torch.randn(B, generator=generator)).long().clamp(min=mean // 3)
    spread = 0 if lattice else S // 5
    target_lengths = (S + spread * torch.randn(B, generator=generator)).long().clamp(1, mean // 4)
    targets = torch.randint(1, K, (B, int(target_lengths.max())), generator=generator)
    nodes = (int(target_lengths.max()) + 1,) if lattice else ()
    logits = torch.randn(B, int(lengths.max()), *nodes, K, generator=generator)
    return logits, lengths, targets, target_lengths


def torch_ctc(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    log_probs = logits.log_softmax(2).transpose(0, 1)
    return F.ctc_loss(log_probs, targets, lengths, target_lengths, reduction="none")


def node_by_node(
    logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor
) -> Tensor:
    """α(t, u) for the whole batch at a time, autograd for the rest; for equal lengths."""
    phi, y = step_log_probs(logits.log_softmax(3), targets)
    _, T, U = phi.shape
    alpha: list[Tensor] = []
    for t in range(T):
        before, alpha = alpha, []
        for u in range(U):
            if t == u == 0:
                alpha.append(torch.zeros_like(phi[:, 0, 0]))
            elif t == 0:
                alpha.append(alpha[u - 1] + y[:, t, u - 1])
            elif u == 0:
                alpha.append(before[u] + phi[:, t - 1, u])
            else:
                by_blank = before[u] + phi[:, t - 1, u]
                alpha.append(torch.logaddexp(by_blank, alpha[u - 1] + y[:, t, u - 1]))
    return -(alpha[-1] + phi[:, -1, -1])


def diagonals(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    phi, y = step_log_probs(logits.log_softmax(3), targets)
    return diagonal_loss(phi, y[:, :, :-1], lengths, target_lengths)


TASKS: dict[str, tuple[Batch, dict[str, Loss]]] = {
    "CTC, TIMIT": (
        random_batch(16, (300, 80), 62, 38),
        {"seqlabel": ctc_loss, "F.ctc_loss": torch_ctc},
    ),
    "CTC, handwriting": (
        random_batch(32, (600, 150), 81, 40),
        {"seqlabel": ctc_loss, "F.ctc_loss": torch_ctc},
    ),
    "transducer": (
        random_batch(16, (300, 0), 62, 40, lattice=True),
        {"seqlabel": transducer_loss, "torch, diagonals": diagonals, "torch, nodes": node_by_node},
    ),
}


def measure(
    batch: Batch, losses: dict[str, Loss], rounds: int, clock: Callable[[], float]
) -> tuple[dict[str, float], float]:
    """Median seconds of each, and the largest difference of gradients from the first one's."""
    logits, *sizes = batch
    seconds: dict[str, list[float]] = {name: [] for name in losses}
    gradients: dict[str, Tensor] = {}
    for number in range(rounds + 1):
        for name, loss in losses.items():
            x = logits.detach().requires_grad_()
            started = clock()
            loss(x, *sizes).sum().backward()
            if number:  # the first round compiles
                seconds[name].append(clock() - started)
            assert x.grad is not None
            gradients[name] = x.grad
    first, *others = gradients.values()
    difference = max(float((first - other).abs().max()) for other in others)
    return {name: statistics.median(values) for name, values in seconds.items()}, difference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds")
    parser.add_argument("--threads", type=int, default=1, help="default 1")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    settle()
    clock = time.process_time if args.threads == 1 else time.perf_counter
    report: dict[str, object] = {"threads": args.threads, "torch": torch.__version__}
    for task, (batch, losses) in TASKS.items():
        rounds = 3 if args.quick else 7 if task == "transducer" else 25
        medians, difference = measure(batch, losses, rounds, clock)
        fastest = medians["seqlabel"]
        print(f"{task}: logits {tuple(batch[0].shape)}, gradients differ by {difference:.0e}")
        for name, value in medians.items():
            print(f"  {name:<18} {1e3 * value:9.1f} ms {value / fastest:7.1f} x")
        report[task] = {
            "seconds": medians,
            "times_slower": {name: value / fastest for name, value in medians.items()},
            "gradient_difference": difference,
        }
    if args.json:
        write_json(args.json, report)


if __name__ == "__main__":
    main()
