"""Streams: any pieces give what the whole signal gives; latency; endpoints; what is refused."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlabel import Recognizer
from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, GreedyDecoder, Lexicon, NgramLM
from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank
from seqlabel.features.front_end import FrontEnd, FrontEndOptions
from seqlabel.features.ink import InkDelta
from seqlabel.features.normalisation import Statistics
from seqlabel.features.stream import FrontEndStream
from seqlabel.inputs import Audio, Ink
from seqlabel.models.inference import TorchNetwork
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions
from seqlabel.stream import Endpoints

ALPHABET = Alphabet("ab ", "character")
NETS = {
    "forwards": {"bidirectional": False},
    "in chunks": {"chunk": 5, "lookahead": 3},
    "subsampled": {"bidirectional": False, "subsample": 3},
    "highway": {"chunk": 2, "between": "highway", "cell": "gru"},
}


@cache
def recognizer(kind="forwards", normalise="train", criterion="ctc", delay=0, deltas=1, **options):
    torch.manual_seed(3)
    extractor = Fbank(rate=4000, filters=6, deltas=deltas)
    statistics = Statistics.fit([extractor(Audio(sound(0, 9000), 4000)).x])
    front_end = FrontEnd(extractor, FrontEndOptions(normalise, 2, 2), statistics)
    table = {"kind": criterion, **({"delay": delay} if delay else {})}
    shape = ModelOptions(hidden=8, layers=2, **(NETS[kind] | options))
    model = Model(front_end.dim, 4, shape, table)
    with torch.no_grad():  # outputs that change from frame to frame
        for weight in model.parameters():
            weight.normal_(0, 0.7)
    return Recognizer(TorchNetwork(model), ALPHABET, front_end)


@cache
def decoder(kind):
    if kind == "greedy":
        return GreedyDecoder(ALPHABET)
    if kind == "lexicon":
        lexicon = Lexicon.from_words(ALPHABET, ["a", "ab", "ba"], " ")
        return BeamDecoder(ALPHABET, 20, lexicon=lexicon, bonus=1.0)
    lm = NgramLM.train([list("ab a"), list("b ab")], 2, "ab ") if kind == "n-gram" else None
    return BeamDecoder(ALPHABET, 8, lm=lm, bonus=0.5)


def sound(seed, size):
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0, 0.3, size // 200 + 1), 200)[:size]
    return (loud * rng.normal(size=size)).astype(np.float32)


def read_in_pieces(stream, samples, borders):
    stable, ended = (), []
    for a, b in pairwise([0, *sorted(borders), len(samples)]):
        ended += stream.push(samples[a:b])
        if not ended:
            assert stream.stable[: len(stable)] == stable
            stable = stream.stable
            assert stream.partial().labels[: len(stable)] == stable
    last = stream.finish()
    assert ended or last.labels[: len(stable)] == stable
    return [*ended, last]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_pieces_give_what_the_whole_signal_gives(data):
    model = recognizer(data.draw(st.sampled_from(list(NETS))))
    chosen = decoder(data.draw(st.sampled_from(["greedy", "beam", "n-gram", "lexicon"])))
    samples = sound(data.draw(st.integers(0, 9)), data.draw(st.sampled_from([100, 1234, 4000])))
    model.decoder = chosen
    whole = model.read(samples)
    once = model.stream(chosen)
    once.push(samples)
    expected = once.finish()
    assert expected.labels == whole.labels
    assert expected.log_prob == pytest.approx(whole.log_prob, abs=1e-3)
    assert [s[:3] for s in expected.spans] == [s[:3] for s in whole.spans]
    borders = data.draw(st.lists(st.integers(0, len(samples)), max_size=20))
    assert read_in_pieces(model.stream(chosen), samples, borders) == [expected]


class Recorder:
    """A decoder whose streams note what they are pushed."""

    def __init__(self):
        self.chunks = []

    def stream(self):
        return self

    def push(self, log_probs):
        self.chunks.append(np.array(log_probs))

    def check_n_best(self, n_best):
        pass


@pytest.mark.parametrize("kind", list(NETS))
@pytest.mark.parametrize("options", [{}, {"criterion": "framewise", "delay": 4}])
def test_sample_by_sample_outputs_come_within_the_latency(kind, options):
    model = recognizer(kind, **options)
    samples = sound(1, 2500)
    recorder = Recorder()
    stream = model.stream(recorder)
    step = 2 * model.network.subsample * 40  # samples between the starts of two outputs
    known, waited = 0, []
    for n in range(len(samples)):
        stream.push(samples[n : n + 1])
        count = sum(map(len, recorder.chunks))
        waited += [n + 1 - step * output for output in range(known, count)]
        known = count
    assert max(waited) / 4000 == pytest.approx(model.latency)
    assert len(waited) >= 5
    recorder.finish = lambda n_best: model.decoder.decode(np.log(np.full((1, 1, 4), 0.25)), [1])[0]
    stream.finish()
    whole = model.output(Audio(samples, 4000)).frames
    np.testing.assert_allclose(np.concatenate(recorder.chunks), whole, rtol=1e-4, atol=1e-4)


def test_partial_results_may_have_spans():
    model = recognizer()
    stream = model.stream()
    assert stream.partial().labels == stream.partial(spans=True).labels == stream.stable == ()
    stream.push(sound(2, 3000))
    partial = stream.partial(spans=True)
    assert partial.labels == stream.partial().labels
    assert partial.labels
    assert [span.label for span in partial.spans] == list(partial.labels)
    assert all(0 <= span.start < span.end < 0.8 for span in partial.spans)


def cut_by_hand(model, samples, rules):
    """(first frame, outputs) of every utterance: the rules as they read, on whole outputs."""
    frames = model.front_end.finish(model.front_end.extractor(Audio(samples, 4000))).x
    before_the_end = len(FrontEndStream(model.front_end).push(samples))
    options = model.network.model.encoder.options
    chunk = options.chunk or 1
    first, found = 0, []
    while True:
        whole, _ = model.network(frames[None, first:], np.array([len(frames) - first]))
        known = (before_the_end - first - options.lookahead) // chunk * chunk
        silent = np.isin(whole[0].argmax(axis=1), (0, 3))  # the blank and " "
        for n in range(1, known + 1):
            if not silent[n - 1]:
                continue
            said = not silent[:n].all()
            still = n if not said else n - 1 - int(np.flatnonzero(~silent[:n])[-1])
            seconds = 0.02 * still
            if seconds >= (rules.trailing if said else rules.before) or 0.02 * n >= rules.longest:
                if said:
                    found.append((first, whole[0, :n]))
                first += n
                break
        else:
            return [*found, (first, whole[0])]


@pytest.mark.parametrize("kind", ["forwards", "in chunks"])
@pytest.mark.parametrize("rules", [Endpoints(0.06, 0.1, 9.0), Endpoints(0.3, 0.04, 0.5)])
@pytest.mark.parametrize("seed", [0, 2])
def test_endpoints_cut_where_the_rules_say(kind, rules, seed):
    model = recognizer(kind)
    model.decoder = GreedyDecoder(ALPHABET)
    samples = sound(seed, 9000)
    rng = np.random.default_rng(seed)
    expected = cut_by_hand(model, samples, rules)
    assert len(expected) > 2
    for pieces in (0, 5, 200):
        borders = rng.integers(0, 9000, pieces)
        results = read_in_pieces(model.stream(endpoints=rules), samples, borders)
        assert len(results) == len(expected)
        for result, (first, outputs) in zip(results, expected, strict=True):
            wanted = model.decoder.decode(outputs[None], [len(outputs)])[0]
            assert result.labels == wanted.labels
            assert result.log_prob == pytest.approx(wanted.log_prob, abs=1e-3)
            times = 0.0075 + 0.02 * (first + np.arange(len(outputs)))
            assert [s.start for s in result.spans] == pytest.approx(
                [times[int(s.start)] for s in wanted.spans]
            )


def ink_reader(**options):
    torch.manual_seed(1)
    extractor = InkDelta(clean=False, skew=False, size="none", spacing=0.5, **options)
    model = Model(4, 4, ModelOptions(hidden=6, layers=2, bidirectional=False), {"kind": "ctc"})
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.8)
    return Recognizer(TorchNetwork(model), ALPHABET, FrontEnd(extractor, FrontEndOptions("none")))


def test_ink_is_read_stroke_by_stroke():
    reader = ink_reader()
    assert reader.latency == 0.0
    rng = np.random.default_rng(2)
    strokes = [np.cumsum(rng.normal(0, 1, (12, 2)), axis=0) for _ in range(4)]
    whole = reader.read(Ink(strokes))
    stream = reader.stream()
    seen = []
    for stroke in strokes:
        for point in stroke:
            assert stream.push([point]) == []
        stream.push([], pen_up=True)
        seen.append(stream.partial().labels)
    result = stream.finish()
    assert result.labels == whole.labels == seen[-1]
    assert [s[:3] for s in result.spans] == [s[:3] for s in whole.spans]
    assert seen[0] != seen[-1]
    with pytest.raises(InputError, match="endpoints are silences"):
        reader.stream(endpoints=Endpoints())


def test_a_stroke_without_features_is_dropped_and_the_ink_goes_on():
    reader = ink_reader()
    rng = np.random.default_rng(2)
    strokes = [np.cumsum(rng.normal(0, 1, (12, 2)), axis=0) for _ in range(3)]
    far, lone = [[0, 0], [1e7, 0]], [[0, 0, 99]]
    stream = reader.stream()
    for bad in (far, strokes[0], far, strokes[1], far, strokes[2]):
        stream.push(bad[:1])
        if bad is far:
            stream.push(bad[1:])
            with pytest.raises(InputError, match="into more than"):
                stream.push([], pen_up=True)
        else:
            stream.push(bad[1:], pen_up=True)
    with pytest.raises(InputError, match="3 columns after points with 2"):
        stream.push(lone, pen_up=True)
    stream.push(far)
    with pytest.raises(InputError, match="into more than"):
        stream.finish()
    result, whole = stream.finish(), reader.read(Ink(strokes))
    assert result.labels == whole.labels
    assert [s[:3] for s in result.spans] == [s[:3] for s in whole.spans]

    timed = reader.stream()  # the times and columns of a dropped stroke bind no other
    with pytest.raises(InputError, match="into more than"):
        timed.push([[0, 0, 5], [1e7, 0, 6]], pen_up=True)
    timed.push([[0, 0, 1, 0.5], [1, 1, 2, 0.5]], pen_up=True)
    assert timed.finish().log_prob < 0


@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("columns", [2, 3, 4])
def test_results_of_streams_know_their_strokes_as_those_of_whole_ink(times, columns):
    reader = ink_reader(times=times)
    rng = np.random.default_rng(5)
    strokes = []
    for n in range(9):
        places = np.cumsum(rng.normal(0, 1, (12, 2)), axis=0) + np.array([3 * (n % 5), 0])
        t = 1000 + n + np.arange(12) / 20
        strokes.append(np.column_stack([places, t, 0 * t])[:, :columns])
    whole = reader.read(Ink(strokes))
    expected = [span.strokes for span in whole.spans]
    assert {number for own in expected for number in own} == set(range(9))
    stream = reader.stream()
    for n, stroke in enumerate(strokes):
        stream.push(stroke, pen_up=n < 8)
        if n == 4:
            partial = stream.partial(spans=True)
            first = reader.read(Ink(strokes[:5]))
            assert [s.strokes for s in partial.spans] == [s.strokes for s in first.spans]
    assert [span.strokes for span in stream.finish().spans] == expected


def test_what_cannot_stream_says_why_and_has_no_bound():
    for model, message in (
        (recognizer(chunk=0, bidirectional=True), r"model\.chunk and model\.lookahead"),
        (recognizer(normalise="utterance"), "normalise = 'train' or 'running'"),
        (recognizer(criterion="transducer"), r"criterion\.kind = 'ctc'"),
    ):
        assert model.latency == math.inf
        with pytest.raises(InputError, match=message):
            model.stream()
    for wrong in (0, -math.inf, math.nan):
        for name in ("trailing", "before", "longest"):
            with pytest.raises(InputError, match="must be above 0 seconds"):
                Endpoints(**{name: wrong})


def test_endpoints_at_infinity_never_come():
    model = recognizer()
    samples = sound(2, 9000)
    stream = model.stream(endpoints=Endpoints(math.inf, math.inf, math.inf))
    assert stream.push(samples) == []
    assert stream.finish().labels == model.read(samples).labels
    ended = model.stream(endpoints=Endpoints(math.inf, math.inf, 0.5)).push(samples)
    assert ended == model.stream(endpoints=Endpoints(9.0, 9.0, 0.5)).push(samples) != []


@pytest.mark.parametrize(
    ("kind", "wrong"), [("greedy", 5), ("greedy", 0), ("beam", 0), ("beam", 1.5)]
)
def test_a_number_of_results_that_cannot_be_ends_no_stream(kind, wrong):
    model = recognizer()
    samples = sound(4, 2000)
    stream = model.stream(decoder(kind))
    stream.push(samples[:700])
    with pytest.raises(InputError, match="n_best is"):
        stream.finish(wrong)
    stream.push(samples[700:])
    model.decoder = decoder(kind)
    assert stream.finish().labels == model.read(samples).labels


def test_bad_signals_are_named_and_the_stream_goes_on():
    model = recognizer()
    samples = sound(4, 2000)
    stream = model.stream()
    stream.push(samples[:700])
    for piece, message in (
        (np.array([np.nan], np.float32), "NaN or infinite"),
        (samples[:10, None], "one channel"),
        (["a"], "float or int16"),
        ("a", "float or int16"),
        (None, "float or int16"),
        (0.5, r"shape \(\)"),
        ([[1.0, 2.0], [1.0]], "not an array of numbers"),
    ):
        with pytest.raises(InputError, match=message):
            stream.push(piece)
    stream.push([])
    stream.push(samples[700:])
    assert stream.finish().labels == model.read(samples).labels
    with pytest.raises(InputError, match="stream is finished"):
        stream.push(samples)
    with pytest.raises(InputError, match="shorter than a window"):
        model.stream().finish()
