"""The rows of a batch distributed over threads, for kernels that release the interpreter lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

from seqlabel.lstm.runtime import flush_denormals


def share_rows(B: int, work: Callable[[int, int], None]) -> None:
    """Call work(start, step) so that rows start, start + step, ... of every call make up 0..B-1.

    As many calls as torch has threads run at a time. Which thread does a row changes no result, as
    long as `work` keeps the rows apart.
    """
    threads = max(1, min(B, torch.get_num_threads()))
    others = [_pool(threads - 1, os.getpid()).submit(work, n, threads) for n in range(1, threads)]
    work(0, threads)
    for other in others:
        other.result()


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """A pool of its own for every process: threads do not survive a fork."""
    return ThreadPoolExecutor(threads, "seqlabel", flush_denormals)
