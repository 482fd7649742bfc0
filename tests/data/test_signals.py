"""Signals of utterances: of the kind that the features are for, and kept as far as memory goes."""

from pathlib import Path

import numpy as np
import pytest

from seqlabel.corpora.manifest import Utterance
from seqlabel.data.signals import KeptSignals, extract, read_signal
from seqlabel.errors import InputError
from seqlabel.features.table import FEATURES
from seqlabel.inputs.audio import Audio
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.ink_files import write_ink


@pytest.mark.parametrize(("kind", "features"), [("speech", "ink_delta"), ("ink", "fbank")])
def test_the_wrong_kind_of_signal_is_named(kind, features):
    utterance = Utterance("u1", Path("absent"), kind, ("a",))
    with pytest.raises(InputError, match=f"u1: {kind}, but the features of this model or"):
        read_signal(utterance, FEATURES[features]())


@pytest.mark.parametrize(
    "signal", [Audio(np.zeros(30, np.float32), 8000), Ink([np.zeros((5, 3))])], ids=["audio", "ink"]
)
def test_signals_are_read_once_as_far_as_memory_goes(signal):
    read = []

    def reader(number):
        read.append(number)
        return signal

    kept = KeptSignals(reader, limit=250)  # two signals of 120 bytes
    assert all(kept(number) is signal for number in (4, 7, 9, 7, 4, 9, 4, 9))
    assert read == [4, 7, 9, 9, 9]


def test_features_that_cannot_be_had_are_refused_by_the_name_of_the_file(tmp_path):
    path = tmp_path / "wide.ink"
    write_ink(path, Ink([[[10000.0 * n, n % 2] for n in range(2000)]]))
    utterance = Utterance("u1", path, "ink", ("a",))
    with pytest.raises(InputError, match=r"wide\.ink: a spacing of"):
        extract(utterance, FEATURES["ink_delta"]())
