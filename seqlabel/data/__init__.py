"""Prepared corpora into batches: feature stores, buckets by frame budget, sharding by rank."""

import importlib
from typing import TYPE_CHECKING, Any

from seqlabel.data.batches import BatchOptions, make_batches

if TYPE_CHECKING:
    from seqlabel.data.dataset import Dataset
    from seqlabel.data.tensors import Batch, collate

__all__ = ["Batch", "BatchOptions", "Dataset", "collate", "make_batches"]

_WITH_TORCH = {"Batch": "tensors", "Dataset": "dataset", "collate": "tensors"}


def __getattr__(name: str) -> Any:
    # Reading with an exported model uses the modules that do not import torch.
    if name in _WITH_TORCH:
        return getattr(importlib.import_module(f"seqlabel.data.{_WITH_TORCH[name]}"), name)
    raise AttributeError(f"module 'seqlabel.data' has no attribute {name!r}")
