"""One process or many, as torchrun starts them."""

import gc
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Workers:
    """This process among all: only rank 0 writes files and logs. device: its torch device."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0

    def sum(self, values: list[float]) -> list[float]:
        """The values added up over all processes."""
        if self.world == 1:
            return values
        import torch
        from torch import distributed as dist

        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        summed: list[float] = total.tolist()
        return summed

    def any(self, flags: list[bool]) -> list[bool]:
        """Whether each flag is set in any process."""
        return [total > 0 for total in self.sum([float(flag) for flag in flags])]

    def gather(self, items: list[Item]) -> list[Item]:
        """In the first process the items of all, in the others their own."""
        if self.world == 1:
            return items
        from torch import distributed as dist

        parts: list[list[Item]] | None = [[] for _ in range(self.world)] if self.first else None
        dist.gather_object(items, parts)
        return [item for part in parts for item in part] if parts is not None else items

    def share(self, items: list[Item]) -> list[Item]:
        """The items of all processes in every one of them."""
        if self.world == 1:
            return items
        from torch import distributed as dist

        parts: list[list[Item]] = [[] for _ in range(self.world)]
        dist.all_gather_object(parts, items)
        return [item for part in parts for item in part]

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.world > 1:
            from torch import distributed as dist

            dist.barrier()


@contextmanager
def workers(devices: bool = True) -> Iterator[Workers]:
    """The process group that torchrun's environment describes, or this process alone.

    nccl and one GPU per local rank if there are GPUs, gloo on CPUs. Only the first process logs.
    devices: whether `Workers.device` is needed; without it a single process needs no torch.
    """
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world == 1 and not devices:
        yield Workers()
        return
    import torch
    from torch import distributed as dist

    cuda = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", 0))
    device = f"cuda:{local}" if cuda else "cpu"
    if cuda:
        torch.cuda.set_device(device)
    if world == 1:
        yield Workers(device=device)
        return
    # A restarted group meets in the store of the one before it, where the addresses of processes
    # that are gone still stand: each attempt gets names of its own.
    store, rank, world = next(dist.rendezvous("env://"))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(
        "nccl" if cuda else "gloo",
        store=dist.PrefixStore(f"attempt {attempt}", store),
        rank=rank,
        world_size=world,
    )
    if rank > 0:
        logging.getLogger("seqlabel").setLevel(logging.ERROR)
    try:
        yield Workers(dist.get_rank(), world, device)
        dist.barrier()  # who leaves early takes the connections of the others along
    finally:
        gc.collect()  # what still holds the group must go before it
        dist.destroy_process_group()
