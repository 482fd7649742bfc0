"""Prepared corpora become batches: feature stores, buckets by frame budget, sharding by rank."""

from seqlabel.data.batches import Batch, BatchOptions, collate, make_batches
from seqlabel.data.dataset import Dataset

__all__ = ["Batch", "BatchOptions", "Dataset", "collate", "make_batches"]
