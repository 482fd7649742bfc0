"""Settings of the process and its threads for speed on CPUs."""

import ctypes
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch

from seqlabel.lstm.blas import address

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def flush_denormals() -> None:
    """Flush denormal numbers to zero in the calling thread.

    They are slow on CPUs: gradients that decay over many frames slow a training step up to 3 times.
    """
    # numpy before 2.4 computes these on first use, and warns where denormals are flushed.
    np.finfo(np.float32)
    np.finfo(np.float64)
    torch.set_flush_denormal(True)


@cache
def settle() -> None:
    """Keep freed memory and flush denormals; called by the fast path, may be called repeatedly.

    glibc returns large freed blocks to the system at once and gets them again in the next step;
    the page faults cost 5 to 25 % of a training step. Gradients that decay over many frames become
    denormal numbers, which are slow (up to 3 times the whole step).
    The first holds for the process, the second for the calling thread.
    """
    flush_denormals()
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # not glibc
        return
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_MMAP_THRESHOLD, 2**31 - 1)


def side_by_side(tasks: Iterable[Callable[[], None]]) -> None:
    """Runs tasks; two on two threads with one core each, if torch may use two.

    They spend their time in compiled code that releases the interpreter lock.
    """
    first, *others = tasks
    if not others or torch.get_num_threads() < 2:
        for task in (first, *others):
            task()
        return
    running = [_second_thread(os.getpid()).submit(on_one_core, task) for task in others]
    try:
        on_one_core(first)
    finally:
        for other in running:
            other.result()


def on_one_core(work: Callable[[], None]) -> None:
    """Runs `work` with single-threaded products; the setting is the calling thread's own."""
    set_threads = address("MKL_Set_Num_Threads_Local")
    if not set_threads:
        work()
        return
    set_local = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(set_threads)
    before = set_local(1)
    try:
        work()
    finally:
        set_local(before)


@cache
def _second_thread(process: int) -> ThreadPoolExecutor:
    """One thread that waits for work; after a fork the new process gets its own."""
    return ThreadPoolExecutor(1, "lstm", initializer=flush_denormals)
