"""What the page gets is what the model says: text, probabilities, places, posteriors."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from seqlabel.demo.bodies import ink_of
from seqlabel.demo.reading import Ended, Readers
from seqlabel.demo.recordings import LONGEST
from seqlabel.demo.silence import speech_part
from seqlabel.inputs import Audio
from seqlabel.report.evidence import VISIBLE

RATE = 16000


NUMBERS = itertools.count()


def name() -> str:
    """An id for a recording, never the same."""
    return f"{next(NUMBERS):032x}"


@pytest.fixture(scope="module")
def models(readers):
    return [reader.recognizer for reader in readers.models]


def test_the_page_learns_of_the_models(client):
    status, _, body = client.get("about")
    assert status == 200
    import json

    about = json.loads(body)
    assert about["ready"] is True
    assert [(m["kind"], m["choices"]) for m in about["models"]] == [
        ("ink", ["greedy", "beam 10"]),
        ("speech", ["greedy", "beam 10"]),
    ]
    assert about["models"][1]["rate"] == RATE


@pytest.mark.parametrize("text", ["lo", "cow", "vol"])
def test_ink_is_read_as_by_the_model(client, readers, ink, as_sent, text):
    drawn = ink(text)
    status, answer = client.read_ink(drawn)
    assert status == 200
    assert answer["text"] == text
    model = readers.models[0]
    model.choose(1)
    result = readers.run(model.recognizer.read, ink_of(as_sent(drawn)), None, 5)
    assert [reading[0] for reading in answer["readings"]] == [
        result.text, *(other.text for other in result.alternatives)
    ]  # fmt: skip
    scores = [result.log_prob, *(other.log_prob for other in result.alternatives)]
    np.testing.assert_allclose([r[1] for r in answer["readings"]], np.exp(scores), atol=1e-4)
    assert [letter[0] for letter in answer["letters"]] == list(result.labels)
    np.testing.assert_allclose(
        [letter[1:] for letter in answer["letters"]], [span[1:] for span in result.spans], atol=1e-3
    )


def test_greedy_has_one_reading(client, ink):
    answer = client.read_ink(ink("cow"), choice=0)[1]
    assert (answer["text"], len(answer["readings"]), answer["scale"]) == ("cow", 1, "path")


def test_scores_of_other_models_become_shares_of_the_list(readers, ink, as_sent):
    from dataclasses import replace

    from seqlabel.decoding import BeamDecoder

    model = readers.models[0]
    decoder = BeamDecoder(model.recognizer.alphabet, 10, bonus=1.0)
    other = replace(model, choices=(replace(model.choices[1], decoder=decoder, scale="score"),))
    answer = readers.run(other.read, ink_of(as_sent(ink("cow"))), 0)
    shares = [share for _, share in answer["readings"]]
    assert answer["scale"] == "share"
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert shares == sorted(shares, reverse=True)


def test_pieces_cover_all_ink_and_lie_where_their_letters_do(client, ink):
    drawn = ink("vol")
    answer = client.read_ink(drawn)[1]
    covered = [[] for _ in drawn.strokes]
    middles: dict[int, list[float]] = {}
    for stroke, first, last, letter in answer["pieces"]:
        covered[stroke] += range(first, last + 1)
        middles.setdefault(letter, []).append(drawn.strokes[stroke][first : last + 1, 0].mean())
    assert [sorted(set(points)) for points in covered] == [
        list(range(len(stroke))) for stroke in drawn.strokes
    ]
    assert list(middles) == [0, 1, 2]
    assert max(middles[0]) < min(middles[1]) <= max(middles[1]) < min(middles[2])


def test_frames_lie_where_the_pen_was(client, readers, ink, as_sent):
    drawn = ink("vol")
    answer = client.read_ink(drawn)[1]
    output = readers.run(readers.models[0].recognizer.output, ink_of(as_sent(drawn)))
    assert len(answer["x"]) == len(answer["times"]) == len(output.times)
    for x, stroke in zip(answer["x"], output.strokes, strict=True):
        low, high = drawn.strokes[stroke][:, 0].min(), drawn.strokes[stroke][:, 0].max()
        assert low - 1 <= x <= high + 1


def posteriors(answer, symbols) -> np.ndarray:
    """(T, K) per cent, of the spikes and the blank that the page draws."""
    values = np.zeros((len(answer["times"]), len(symbols) + 1))
    values[:, 0] = answer["blank"]
    for label, _, first, run in answer["spikes"]:
        values[first : first + len(run), 1 + symbols.index(label)] = run
    return values


def test_spikes_are_the_posteriors_that_can_be_seen(client, readers, ink, as_sent):
    drawn = ink("cow")
    answer = client.read_ink(drawn)[1]
    recognizer = readers.models[0].recognizer
    output = readers.run(recognizer.output, ink_of(as_sent(drawn)))
    exact = 100 * np.exp(output.log_probs)
    exact[:, 1:][exact[:, 1:] <= 100 * VISIBLE] = 0
    drawn_values = posteriors(answer, recognizer.alphabet.symbols)
    np.testing.assert_allclose(drawn_values, exact, atol=0.501)
    owners = [letter for _, letter, _, _ in answer["spikes"] if letter >= 0]
    assert sorted(owners) == [0, 1, 2]
    for label, letter, *_ in answer["spikes"]:
        assert letter < 0 or answer["letters"][letter][0] == label


@pytest.mark.parametrize("pieces", [[1.0], [0.5, 0.5], [0.1, 0.2, 0.05, 0.65], 20 * [0.05]])
@pytest.mark.parametrize("text", ["abc", "b", "caab"])
def test_sound_in_pieces_is_read_as_the_whole(client, models, sound, as_audio, text, pieces):
    samples = sound(text, 1)
    cuts = np.cumsum([0, *(round(share * len(samples)) for share in pieces)])
    cuts[-1] = len(samples)
    recording = name()
    texts = []
    for n, (first, end) in enumerate(itertools.pairwise(cuts.tolist())):
        final = int(n == len(pieces) - 1)
        status, answer = client.hear(samples[first:end], recording, first, final=final)
        assert status == 200
        texts.append(answer["text"])
    assert answer["text"] == text
    assert answer["stable"] == len(text)
    whole = models[1].read(as_audio(samples))
    assert [letter[0] for letter in answer["letters"]] == list(whole.labels)
    np.testing.assert_allclose(
        [letter[1:3] for letter in answer["letters"]],
        [span[1:3] for span in whole.spans],
        atol=2e-3,
    )
    output = models[1].output(as_audio(samples))
    assert len(answer["times"]) == len(output.times)
    if len(pieces) > 10:
        assert 2 <= len(set(texts)) <= len(text) + 2


def test_another_decoder_hears_the_recording_from_its_beginning(client, sound):
    recording = name()
    samples = sound("abcb", 5)
    client.hear(samples[:9000], recording)
    answer = client.hear(samples[9000:], recording, 9000, choice=0, final=1)[1]
    assert (answer["text"], answer["scale"]) == ("abcb", "path")
    again = client.hear(samples[:0], recording, len(samples), choice=1, final=1)[1]
    assert (again["text"], again["scale"]) == ("abcb", "posterior")


def test_a_recording_that_has_ended_is_read_again_and_continued(client, sound):
    recording = name()
    samples = sound("abcb", 5)
    ended = client.hear(samples[:9000], recording, final=1)[1]
    for final in (1, 0):
        status, again = client.hear(samples[:0], recording, 9000, final=final)
        assert status == 200
        assert again | {"ms": 0} == ended | {"ms": 0}
    status, answer = client.hear(samples[9000:], recording, 9000, final=1)
    assert (status, answer["text"], answer["stable"]) == (200, "abcb", 4)


def test_a_model_of_whole_signals_reads_anew_each_time(readers, sound, monkeypatch):
    from seqlabel.demo import reading
    from seqlabel.demo.recordings import Recording

    monkeypatch.setattr(reading, "reads_live", lambda recognizer: False)
    recording = Recording(RATE)
    samples = sound("cab", 3)
    for first in range(0, len(samples), 4000):
        recording.add(samples[first : first + 4000], first)
        answer = readers.run(readers.models[1].read_recording, recording, 1, False)
    assert answer["text"] == "cab"
    assert "stable" not in answer


def test_sound_at_the_rate_of_the_browser_is_resampled(client, sound):
    from seqlabel.inputs.resampling import resample

    samples = resample(sound("bca", 2), RATE, 48000)
    answer = client.hear(samples, name(), rate=48000, final=1)[1]
    assert answer["text"] == "bca"


def test_silence_around_speech_is_left_out_and_times_count_from_the_beginning(
    readers, sound, monkeypatch
):
    from seqlabel.demo import reading
    from seqlabel.demo.recordings import Recording

    monkeypatch.setattr(reading, "reads_live", lambda recognizer: False)
    rng = np.random.default_rng(3)
    quiet = rng.normal(0, 0.003, 3 * RATE).astype(np.float32)
    spoken = sound("ab", 4)
    alone, surrounded = Recording(RATE), Recording(RATE)
    alone.add(spoken, 0)
    surrounded.add(np.concatenate([quiet, spoken, quiet]), 0)
    read = readers.models[1].read_recording
    first, second = (readers.run(read, each, 1, True) for each in (alone, surrounded))
    assert first["text"] == second["text"] == "ab"
    # The frames of the second begin where its speech is cut out, within a step of the first's.
    np.testing.assert_allclose(
        [letter[1] - 3 for letter in second["letters"]],
        [letter[1] for letter in first["letters"]],
        atol=0.1,
    )
    nothing = Recording(RATE)
    nothing.add(quiet, 0)
    assert readers.run(read, nothing, 1, True)["text"] == ""


def test_the_part_with_speech_is_found(sound):
    quiet = np.random.default_rng(0).normal(0, 0.002, 2 * RATE).astype(np.float32)
    spoken = sound("abc")
    first, end = speech_part(np.concatenate([quiet, spoken, quiet]), RATE)
    assert 2 * RATE - 0.35 * RATE < first < 2 * RATE + 0.25 * RATE
    assert 2 * RATE + len(spoken) - 0.3 * RATE < end < 2 * RATE + len(spoken) + 0.35 * RATE
    assert speech_part(quiet, RATE) == (0, 0)
    assert speech_part(np.zeros(RATE, np.float32), RATE) == (0, 0)
    steady = 0.3 * np.sin(np.arange(RATE) / 5)
    assert speech_part(steady.astype(np.float32), RATE) == (0, RATE)
    assert speech_part(np.ones(3, np.float32), RATE) == (0, 3)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"at": 5}, "has expired"),
        ({"id": "../../x"}, "32 hexadecimal digits"),
        ({"id": 31 * "0"}, "32 hexadecimal digits"),
        ({"rate": 44101}, "44101 samples per second"),
        ({"rate": 0}, "0 samples per second"),
        ({"rate": "x"}, "rate: must be a whole number"),
        ({"model": 0}, "is not for speech"),
        ({"choice": 2}, "choice: must be a whole number"),
    ],
)
def test_recordings_that_make_no_sense_are_refused(client, sound, query, message):
    status, answer = client.hear(sound("a"), query.pop("id", name()), query.pop("at", 0), **query)
    assert status == 400
    assert message in answer["error"]


def test_gaps_repeats_and_endless_recordings_are_refused(client):
    recording = name()
    silence = np.zeros(RATE, np.float32)
    assert client.hear(silence, recording)[0] == 200
    for at in (1, RATE - 1, RATE + 1, 10**9):
        status, answer = client.hear(silence, recording, at)
        assert (status, answer["error"][:12]) == (400, "received sam")
    assert "already exists" in client.hear(silence, recording, 0)[1]["error"]
    long = np.zeros(int(LONGEST * RATE), np.float32)
    assert "more than 60 s" in client.hear(long, recording, RATE)[1]["error"]
    assert "no samples" in client.hear(silence[:0], name())[1]["error"]
    assert client.hear(silence, recording, RATE)[0] == 200


def test_a_rejected_first_piece_leaves_its_id_free(client):
    recording = name()
    silence = np.zeros(int(LONGEST * RATE) + 1, np.float32)
    assert "more than 60 s" in client.hear(silence, recording)[1]["error"]
    assert "no samples" in client.hear(silence[:0], recording)[1]["error"]
    assert client.hear(silence[:RATE], recording)[0] == 200


def test_recordings_that_nobody_goes_on_with_make_room(client, app):
    silence = np.zeros(1600, np.float32)
    names = [name() for _ in range(20)]
    for each in names:
        assert client.hear(silence, each)[0] == 200
    assert len(app.recordings._by_name) <= 8
    assert client.hear(silence, names[-1], 1600)[0] == 200
    assert "has expired" in client.hear(silence, names[0], 1600)[1]["error"]


def test_many_ask_at_once(client, ink, sound):
    from concurrent.futures import ThreadPoolExecutor

    words = ["cow", "lo", "vol", "ox"] * 5
    with ThreadPoolExecutor(10) as pool:
        inks = pool.map(lambda word: client.read_ink(ink(word))[1]["text"], words)
        sounds = pool.map(
            lambda n: client.hear(sound("ab", n), name(), final=1)[1]["text"], range(10)
        )
        assert list(inks) == words
        assert list(sounds) == ["ab"] * 10


def test_an_error_of_ours_is_told_in_one_line(client, monkeypatch, caplog, ink):
    def broken(*arguments):
        raise RuntimeError("out of\nluck")

    monkeypatch.setattr("seqlabel.demo.reading.Reader.read", broken)
    status, answer = client.read_ink(ink("lo"))
    assert status == 500
    assert "luck" not in answer["error"]
    assert [record.getMessage() for record in caplog.records] == [
        "seqlabel demo: RuntimeError: out of\\nluck"
    ]
    monkeypatch.undo()
    assert client.read_ink(ink("lo"))[0] == 200


def test_examples_can_be_read(client, readers):
    for _ in range(5):
        status, _, answer = client.post("example", {"model": 0, "choice": 1})
        assert status == 200
        drawn = ink_of(answer["strokes"])
        assert set(answer["text"]) <= {*readers.models[0].recognizer.alphabet.symbols}
        assert drawn.duration > 0.3
    status, _, answer = client.post("example", {"model": 1, "choice": 1})
    assert (status, answer["error"]) == (
        400,
        "this model has no example; record something yourself",
    )


def test_the_recording_of_a_model_is_its_example(readers, serving, sound, tmp_path):
    from dataclasses import replace

    from seqlabel.demo.corpus import write_wav
    from seqlabel.demo.server import App

    write_wav(tmp_path / "example.wav", sound("cab"), RATE)
    offered = type(readers)()
    offered.models = [replace(readers.models[1], example=tmp_path / "example.wav")]
    with serving(App(offered)) as client:
        answer = client.post("example", {"model": 0, "choice": 1})[2]
    assert answer["rate"] == RATE
    np.testing.assert_allclose(np.array(answer["samples"]) / 32767, sound("cab"), atol=5e-5)


def test_examples_use_the_words_of_a_lexicon():
    from seqlabel.alphabet import Alphabet
    from seqlabel.demo.examples import example

    alphabet = Alphabet(list("abc "), "character")
    for seed in range(10):
        text, ink = example(alphabet, ("ab", "cab", "zebra"), seed)
        assert set(text.split()) <= {"ab", "cab"}
        assert example(alphabet, ("ab", "cab", "zebra"), seed)[1] == ink
    with pytest.raises(ValueError, match="synthetic hands cannot"):
        example(Alphabet(["aa", "iy"]))


def test_audio_of_other_types_is_not_mistaken(as_audio):
    assert isinstance(as_audio(np.zeros(10)), Audio)


def test_after_the_end_nothing_is_read():
    readers, begun, go = Readers(), threading.Event(), threading.Event()

    def work():
        begun.set()
        return go.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(readers.run, work)
        assert begun.wait(60)
        second = pool.submit(readers.run, work)
        while not readers._thread._work_queue.qsize():
            time.sleep(0.01)
        closing = threading.Thread(target=readers.close)
        closing.start()
        try:
            with pytest.raises(Ended):
                second.result(60)
        finally:
            go.set()
        assert first.result(60)
        closing.join(60)
    with pytest.raises(Ended):
        readers.run(work)
