"""How sure a number is: bootstrap intervals, paired tests between systems, spread over seeds.

No table and no distribution beyond the normal and the binomial is needed, so `math` serves.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from seqlabel.scoring.results import Interval, UtteranceScore


def bootstrap_interval(
    utterances: Sequence[UtteranceScore],
    people: str = "speakers",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval | None:
    """Percentile bootstrap interval of the error rate (Bisani & Ney, ICASSP 2004).

    Utterances of one speaker are not independent, so whole speakers are drawn with replacement; a
    set with one speaker, or with none named, is resampled by utterances. None for one utterance.
    """
    speakers: dict[str, list[int]] = defaultdict(list)
    for n, utterance in enumerate(utterances):
        speakers[utterance.speaker].append(n)
    errors = np.array([u.counts.errors for u in utterances], np.int64)
    tokens = np.array([u.counts.reference_tokens for u in utterances], np.int64)
    over = "utterances"
    if len(speakers) > 1 and "" not in speakers:
        over = people
        errors = np.array([errors[members].sum() for members in speakers.values()])
        tokens = np.array([tokens[members].sum() for members in speakers.values()])
    if len(errors) < 2:
        return None
    rng = np.random.default_rng(seed)
    rates = np.empty(resamples)
    for n in range(resamples):
        drawn = rng.integers(0, len(errors), len(errors))
        rates[n] = errors[drawn].sum() / max(1, tokens[drawn].sum())
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, over, len(errors), resamples)
