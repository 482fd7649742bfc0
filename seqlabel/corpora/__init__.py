"""Readers that turn corpora on disk into manifests.

A reader is a module with a frozen dataclass `Options` and `prepare(source, options) -> Prepared`.
"""

from types import ModuleType

from seqlabel.corpora import (
    an4,
    arrow,
    crohme,
    drawings,
    folder,
    iam,
    iam_ondb,
    jsonl,
    kaldi,
    lhotse,
    nemo,
    timed,
    timit,
    webdataset,
)

CORPORA: dict[str, ModuleType] = {
    "timit": timit,
    "an4": an4,
    "iam_ondb": iam_ondb,
    "iam": iam,
    "crohme": crohme,
    "folder": folder,
    "manifest": jsonl,
    "webdataset": webdataset,
    "drawings": drawings,
    "kaldi": kaldi,
    "lhotse": lhotse,
    "nemo": nemo,
    "timed": timed,
    "datasets": arrow,
}
