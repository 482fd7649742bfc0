"""Drawing sets that can be drawn again."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqlabel.corpora.manifest import Utterance
from seqlabel.corpora.splitting import split_by_hash
from seqlabel.errors import InputError


def corpus(count, speakers=1):
    return [
        Utterance(f"u{n:03}", Path("a"), "ink", ("x",), speaker=f"s{n % speakers}")
        for n in range(count)
    ]


def names(splits):
    return {name: [u.id for u in utterances] for name, utterances in splits.items()}


@given(st.integers(3, 60), st.sampled_from([0.0, 0.1, 0.3]), st.sampled_from([0.0, 0.05, 0.4]))
def test_every_utterance_goes_into_one_set(count, dev, test):
    splits = split_by_hash(corpus(count), dev, test, 0, whole_speakers=False)
    everything = sorted(u.id for utterances in splits.values() for u in utterances)
    assert everything == [u.id for u in corpus(count)]
    assert set(splits) == {"train"} | ({"dev"} if dev else set()) | ({"test"} if test else set())
    for name, share in (("dev", dev), ("test", test)):
        if share:
            assert len(splits[name]) == min(max(1, round(share * count)), count - 2) or count < 9


@given(st.integers(3, 12), st.integers(0, 5))
def test_speakers_stay_together(speakers, seed):
    splits = split_by_hash(corpus(40, speakers), 0.1, 0.1, seed, whole_speakers=True)
    homes = [{u.speaker for u in utterances} for utterances in splits.values()]
    assert len(homes) == 3
    assert sum(map(len, homes)) == len(set().union(*homes)) == speakers


@pytest.mark.parametrize("seed", range(8))
def test_a_speaker_of_most_recordings_is_trained_on(seed):
    counts = {"anna": 30, "ben": 5, "carla": 5}
    utterances = [
        Utterance(f"{name}{n}", Path("a"), "ink", ("x",), speaker=name)
        for name, count in counts.items()
        for n in range(count)
    ]
    splits = split_by_hash(utterances, 0.1, 0.1, seed, whole_speakers=True)
    assert {name: len(us) for name, us in splits.items()} == {"test": 5, "dev": 5, "train": 30}


def test_the_draw_is_repeatable_and_depends_on_the_seed_alone():
    first = names(split_by_hash(corpus(50), 0.2, 0.2, 1, False))
    assert names(split_by_hash(corpus(50)[::-1], 0.2, 0.2, 1, False)) == first
    assert names(split_by_hash(corpus(50), 0.2, 0.2, 2, False)) != first


def test_a_new_recording_does_not_move_the_others_much():
    before = names(split_by_hash(corpus(50), 0.2, 0.2, 1, False))
    after = names(split_by_hash(corpus(51), 0.2, 0.2, 1, False))
    moved = sum(len(set(before[name]) - set(after[name])) for name in before)
    assert moved <= 3


@pytest.mark.parametrize(
    ("dev", "test", "count", "words"),
    [
        (0.5, 0.5, 9, "must be below 1"),
        (-0.1, 0.1, 9, "must not be negative"),
        (0.1, 0.1, 2, "2 utterances cannot be divided into train and test and dev"),
        (0.0, 0.0, 0, "0 utterances cannot"),
    ],
)
def test_impossible_wishes(dev, test, count, words):
    with pytest.raises(InputError, match=words):
        split_by_hash(corpus(count), dev, test, 0, False)
