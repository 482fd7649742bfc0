"""Long signals in windows: the labels of the whole signal, seams or not."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch

import seqlabel
from seqlabel import long
from seqlabel.alphabet import Alphabet
from seqlabel.corpora.manifest import Utterance
from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank
from seqlabel.features.frames import Frames
from seqlabel.features.front_end import FrontEnd, FrontEndOptions
from seqlabel.inputs import read_audio
from seqlabel.long import Plan, find_seam, run_windows
from seqlabel.models.inference import TorchNetwork
from seqlabel.models.model import Model
from seqlabel.models.network import ModelOptions
from seqlabel.pretrained import names

K = 5


def posteriors(rng, T):
    """Spikes of labels, one to three frames long, in blanks: (T, K) log-probabilities."""
    logits = rng.normal(0, 0.3, (T, K))
    logits[:, 0] += 4
    t = int(rng.integers(1, 4))
    while t < T - 4:
        width, label = int(rng.integers(1, 4)), int(rng.integers(1, K))
        logits[t : t + width, label] += 9
        t += width + int(rng.integers(1, 9))
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


class Local:
    """A network that repeats its input, later or earlier and unsure where context is missing."""

    def __init__(self, rng, edge):
        self.rng, self.edge = rng, edge

    def __call__(self, frames):
        for f in frames:
            out = np.exp(f.x.astype(np.float64))
            noise = self.rng.dirichlet(np.ones(K) * 0.3, len(out))
            distance = np.minimum(np.arange(len(out)), np.arange(len(out))[::-1])
            share = np.clip(1 - distance / self.edge, 0, 1)[:, None]
            yield np.log((1 - share) * out + share * noise).astype(np.float32)


def labels(log_probs):
    path = log_probs.argmax(axis=1).tolist()
    return [k for before, k in pairwise([0, *path]) if k and k != before]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("pieces", [1, 7, 200])
def test_no_label_is_lost_or_doubled(seed, pieces):
    rng = np.random.default_rng(seed)
    x = posteriors(rng, 3000 + seed).astype(np.float32)
    plan = Plan(200, 140, 1)
    cuts = np.array_split(x, pieces)

    def frames(first, part):
        np.testing.assert_array_equal(part, x[first : first + len(part)])
        return Frames(part, np.arange(len(part)), 1.0)

    found = run_windows(cuts, plan, frames, Local(rng, edge=14), K)
    assert found.shape == x.shape
    inner = slice(20, -20)  # the ends of the signal are as unsure as those of any window
    assert labels(found[inner]) == labels(x[inner])


def test_seams_at_random_lose_labels():
    """What the search for a seam is for: cuts at the middle go wrong on the same signals."""
    wrong = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x = posteriors(rng, 3000).astype(np.float32)
        network = Local(rng, edge=60)
        found = run_windows([x], Plan(200, 140, 1), lambda n, part: Frames(part, part[:, 0], 1.0),
                            network, 0)  # fmt: skip
        wrong += labels(found[20:-20]) != labels(x[20:-20])
    assert wrong


def test_a_seam_lies_between_two_blanks_in_the_middle():
    rng = np.random.default_rng(3)
    for _ in range(20):
        part = posteriors(rng, 80)
        seam = find_seam(part, part, K)
        assert 20 <= seam < 60
        assert part[seam - 1].argmax() == part[seam].argmax() == 0


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 5, 59, 60, 61, 89, 90, 91, 100, 301])
def test_windows_cover_every_frame_in_steps_of_the_subsampling(every, length):
    plan = Plan(60, 42, every)
    x = np.arange(length, dtype=np.float32)[:, None]
    windows = list(plan.windows(np.array_split(x, 5)))
    assert (len(windows) > 1) == plan.needed(length)
    for first, part in windows:
        np.testing.assert_array_equal(part, x[first : first + len(part)])
        assert first % every == 0
    for (a, first), (b, _) in pairwise(windows):
        assert a + len(first) - b == 18
    assert windows[-1][0] + len(windows[-1][1]) == length


@pytest.mark.parametrize(
    "options",
    [{"bidirectional": False}, {"bidirectional": False, "subsample": 3}, {"chunk": 5}],
    ids=str,
)
def test_a_network_that_streams_reads_a_long_recording_as_its_stream(
    options, tmp_path, monkeypatch
):
    """Its states pass from one part to the next, so there is no seam."""
    torch.manual_seed(3)
    front_end = FrontEnd(Fbank(rate=4000, filters=6), FrontEndOptions("none", 2, 2))
    network = Model(front_end.dim, 4, ModelOptions(hidden=8, layers=2, **options), {"kind": "ctc"})
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(0, 0.7)
    alphabet = Alphabet("ab ", "character")
    model = seqlabel.Recognizer(TorchNetwork(network), alphabet, front_end)
    samples = np.random.default_rng(0).normal(0, 0.1, 4000 * 6).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 4000, subtype="FLOAT")
    stream = model.stream()
    stream.push(samples)
    expected = stream.finish()
    monkeypatch.setattr(long, "SECONDS", 1.0)
    monkeypatch.setattr(long, "OVERLAP", 0.2)
    monkeypatch.setattr(long, "BLOCK", 0.7)
    assert model.read(samples) == expected
    assert model.read(tmp_path / "a.wav") == expected
    ((_, output),) = model.outputs([Utterance("a", tmp_path / "a.wav", "speech", ())])
    assert model.decode([output]) == [expected]


@pytest.fixture(scope="module")
def model():
    if "an4" not in names():
        pytest.skip("no model an4 comes along")
    return seqlabel.load("an4")


def test_an_error_in_a_long_recording_names_it_once(model, tmp_path, monkeypatch):
    monkeypatch.setattr(long, "SECONDS", 9.0)
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16000 * 20), 16000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError) as error:
        model.read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).count(str(path)) == 1


@pytest.fixture(scope="module")
def recording(tmp_path_factory, an4):
    """Forty seconds of AN4 with short pauses."""
    rng = np.random.default_rng(1)
    files = sorted((an4 / "wav").rglob("*fcaw*.wav")) + sorted((an4 / "wav").rglob("*fash*.wav"))
    parts = []
    for path in files:
        parts += [read_audio(path).samples, rng.normal(0, 1e-3, 3000).astype(np.float32)]
    samples = np.concatenate(parts)[: 40 * 16000]
    path = tmp_path_factory.mktemp("long") / "a.flac"
    soundfile.write(path, samples, 16000)
    return path


def held(sure, others):
    """Whether each span of `sure` is among `others`, at its place."""
    return all(
        any(s.label == o.label and abs(s.start - o.start) < 0.1 for o in others) for s in sure
    )


def test_a_recording_in_windows_reads_as_a_whole(model, recording, monkeypatch):
    """Another context moves the posteriors of labels that were unsure; no other may come or go."""
    whole = model.read(recording)
    monkeypatch.setattr(long, "SECONDS", 9.0)
    monkeypatch.setattr(long, "BLOCK", 2.7)
    monkeypatch.setattr(long, "BATCH", 700)
    in_parts = model.read(recording)
    sure = [[s for s in result.spans if s.probability > 0.9] for result in (whole, in_parts)]
    assert min(map(len, sure)) > 100
    assert held(sure[0], in_parts.spans)
    assert held(sure[1], whole.spans)
    assert abs(len(whole.labels) - len(in_parts.labels)) <= 3
    ((_, output),) = model.outputs([Utterance("a", recording, "speech", ())])
    (again,) = model.decode([output])
    assert again == in_parts
    held_in_memory = model.read(read_audio(recording))
    assert held(sure[1], held_in_memory.spans)
    assert len(held_in_memory.labels) == len(in_parts.labels)
