"""A corpus of one kind under a configuration for the other is a mistake that is named."""

from pathlib import Path

import pytest

from seqlabel.corpora.manifest import Utterance
from seqlabel.data.store import read_signal
from seqlabel.errors import InputError
from seqlabel.features.table import FEATURES


@pytest.mark.parametrize(("kind", "features"), [("speech", "ink_delta"), ("ink", "fbank")])
def test_the_wrong_kind_of_signal_is_named(kind, features):
    utterance = Utterance("u1", Path("absent"), kind, ("a",))
    with pytest.raises(InputError, match=f"u1: {kind}, where features.kind"):
        read_signal(utterance, FEATURES[features]())
