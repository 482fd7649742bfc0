"""Reading a transducer: against the probability of every labelling, and against itself."""

import itertools

import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.models.transducer_loss import transducer_loss
from seqlabel.models.transducer_search import BeamSearch, Hypothesis, greedy

T = 4


class LastTwo:
    """Stands in for a prediction network: its output is a table of the last two labels."""

    def __init__(self, K, generator):
        self.table = torch.randn(K, K, K, generator=generator, dtype=torch.float64)

    def step(self, labels, state=None):
        before = torch.zeros_like(labels) if state is None else state[0]
        return self.table[before, labels], (labels.clone(),)

    def __call__(self, labels):
        """(S+1, K) outputs of one labelling."""
        histories = [(0, 0), *zip((0, *labels), labels, strict=False)]
        return torch.stack([self.table[history] for history in histories])


class Joint:
    """Not a product of the two, and inclined to the blank so that labellings stay short."""

    def __init__(self, blank_bias):
        self.blank_bias = blank_bias

    def labels(self, predicted):
        return predicted

    def logits(self, frames, labels):
        scores = 2 * torch.tanh(frames + labels)
        scores[..., 0] += self.blank_bias
        return scores


def transducer(seed, blank_bias=1.0, K=3, B=1, T=T):
    g = torch.Generator().manual_seed(seed)
    prediction = LastTwo(K, g)
    encoded = torch.randn(B, T, K, generator=g, dtype=torch.float64)
    return Joint(blank_bias), prediction, encoded if B > 1 else encoded[0]


def log_p(joint, prediction, encoded, labels):
    """ln p of one labelling by the loss, which other tests check by enumeration."""
    target, S = torch.tensor([labels], dtype=torch.int64), torch.tensor([len(labels)])
    logits = joint.logits(encoded[:, None], prediction(labels)[None])[None]
    lengths = torch.tensor([len(encoded)])
    return -float(transducer_loss(logits, lengths, target.reshape(1, -1), S))


@pytest.mark.parametrize("seed", range(8))
def test_an_unlimited_beam_finds_the_best_labelling_and_its_probability(seed):
    joint, prediction, encoded = transducer(seed, blank_bias=2.0)
    probability = {
        labels: log_p(joint, prediction, encoded, labels)
        for S in range(8)
        for labels in itertools.product((1, 2), repeat=S)
    }
    ranked = sorted(probability, key=probability.get, reverse=True)
    search = BeamSearch(joint, prediction, beam=100, most_expanded=1000)
    found = search(encoded, n_best=3)
    assert [h.labels for h in found] == ranked[:3]
    for hypothesis in found:
        assert abs(hypothesis.log_prob - probability[hypothesis.labels]) < 1e-6
    normalised = BeamSearch(joint, prediction, 100, normalise=True, most_expanded=1000)(encoded)[0]
    best = max(probability[labels] / max(1, len(labels)) for labels in ranked[:50])
    assert normalised.log_prob / max(1, len(normalised.labels)) >= best - 1e-6


def test_length_normalisation_prefers_longer_labellings():
    lengths = {False: 0, True: 0}
    for seed in range(12):
        joint, prediction, encoded = transducer(seed)
        for normalise in lengths:
            search = BeamSearch(joint, prediction, beam=20, normalise=normalise)
            lengths[normalise] += len(search(encoded)[0].labels)
    assert lengths[True] > lengths[False]


def test_a_wider_beam_finds_more_probable_labellings():
    sums = []
    for beam in (1, 3, 30):
        total = 0.0
        for seed in range(12):
            joint, prediction, encoded = transducer(seed, blank_bias=0.5)
            found = BeamSearch(joint, prediction, beam=beam)(encoded)[0]
            total += log_p(joint, prediction, encoded, found.labels)
        sums.append(total)
    assert sums == sorted(sums)
    assert sums[0] < sums[2]


def greedy_step_by_step(joint, prediction, encoded):
    """The greedy search of one utterance, all labels before every step looked at anew."""
    labels, steps, total = [], [], 0.0
    for t, frame in enumerate(encoded):
        for written in range(6):
            scores = joint.logits(frame, prediction(labels)[-1]).log_softmax(0)
            k = int(scores.argmax()) if written < 5 else 0
            total += float(scores[k])
            if k == 0:
                break
            labels.append(k)
            steps.append((t, float(scores[k].exp())))
    return labels, steps, total


def test_batched_greedy_equals_greedy_step_by_step():
    lengths = torch.tensor([12, 3, 7, 1, 10])
    joint, prediction, encoded = transducer(1, blank_bias=0.0, K=6, B=5, T=12)
    longest = 0
    for b, hypothesis in enumerate(greedy(joint, prediction, encoded, lengths)):
        labels, steps, log_prob = greedy_step_by_step(joint, prediction, encoded[b, : lengths[b]])
        assert list(hypothesis.labels) == labels
        assert list(hypothesis.frames) == [t for t, _ in steps]
        assert hypothesis.probabilities == pytest.approx([p for _, p in steps])
        assert hypothesis.log_prob == pytest.approx(log_prob)
        longest = max(longest, len(labels))
    assert longest > 5


def test_a_network_that_never_stops_is_stopped():
    joint, prediction, encoded = transducer(0, blank_bias=-50.0)
    hypothesis = greedy(joint, prediction, encoded[None], torch.tensor([T]), most_per_frame=4)[0]
    assert len(hypothesis.labels) == 4 * T
    assert len(BeamSearch(joint, prediction, beam=4, most_expanded=3)(encoded, n_best=9)) <= 4


def test_result_names_symbols_and_frames():
    result = Hypothesis((2, 1), (3, 5), (0.75, 0.5), -1.25).result(Alphabet("ab", "character"))
    assert (result.labels, result.text, result.log_prob) == (("b", "a"), "ba", -1.25)
    assert result.spans == (("b", 3, 4, 0.75), ("a", 5, 6, 0.5))
