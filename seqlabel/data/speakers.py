"""Normalisation by speaker: the statistics of all utterances of a speaker in a set."""

import numpy as np

from seqlabel.data.store import FeatureStore
from seqlabel.features.normalisation import Statistics


class SpeakerStatistics:
    """Statistics over all frames of an utterance's speaker, computed on first use.

    speakers: (N,) the same number for the same speaker; an utterance with -1 has its own
    statistics.
    """

    def __init__(self, store: FeatureStore, speakers: np.ndarray) -> None:
        self._store = store
        self._speakers = np.asarray(speakers)
        self._order = np.argsort(self._speakers, kind="stable")
        self._ends = np.cumsum(np.bincount(self._speakers + 1))
        self._found: dict[int, Statistics] = {}

    def __getitem__(self, n: int) -> Statistics:
        """The statistics for utterance n."""
        speaker = int(self._speakers[n])
        if speaker < 0:
            return Statistics.fit([self._store[n]])
        if speaker not in self._found:
            members = self._order[self._ends[speaker] : self._ends[speaker + 1]]
            self._found[speaker] = Statistics.fit(self._store[m] for m in members)
        return self._found[speaker]
