"""Batches: every utterance once, within the budget, little padding, the same steps on any world."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from seqlabel.data.batches import BatchOptions, make_batches, padding_share, shard
from seqlabel.data.loader import Prefetcher
from seqlabel.data.tensors import collate
from seqlabel.errors import InputError

lengths_of_sets = st.lists(st.integers(1, 500), min_size=1, max_size=200)


@given(lengths_of_sets, st.integers(1, 2000), st.integers(1, 20), st.booleans())
def test_every_utterance_once_and_within_the_budget(lengths, frames, utterances, shuffled):
    options = BatchOptions(frames, utterances, pool=3)
    rng = np.random.default_rng(0) if shuffled else None
    batches = make_batches(lengths, options, rng)
    assert sorted(n for batch in batches for n in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= utterances
        assert len(batch) == 1 or len(batch) * max(lengths[n] for n in batch) <= frames


def test_padding_is_at_most_five_percent_at_speech_lengths():
    rng = np.random.default_rng(1)
    lengths = np.clip(rng.normal(300, 80, 3696), 90, 780).astype(int).tolist()
    batches = make_batches(lengths, BatchOptions(frames=16 * 300), rng)
    assert padding_share(batches, lengths) < 0.05


def test_order_is_random_but_repeats_for_a_seed():
    lengths = list(range(1, 200))
    options = BatchOptions(frames=1000)
    first, again, other = (
        make_batches(lengths, options, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert list(first) == list(again)
    assert list(first) != list(other)
    assert [len(batch) for batch in first] != sorted(len(batch) for batch in first)


@given(st.integers(1, 9), st.integers(1, 4))
def test_shards_of_all_ranks_make_up_the_batch(size, world):
    batch = list(range(100, 100 + size))
    parts = [shard(batch, rank, world) for rank in range(world)]
    assert sorted(n for part, weight in parts if weight for n in part) == batch
    assert all(part for part, _ in parts)
    assert all(weight == 1.0 or (weight, part) == (0.0, [100]) for part, weight in parts)


def test_collate_pads_with_zeros():
    frames = [np.ones((3, 2), np.float32), np.full((1, 2), 2, np.float32)]
    labels = [np.array([1, 1, 2]), np.array([3])]
    batch = collate(frames, [[1, 2], [3]], ["a", "b"], labels)
    assert batch.x.tolist() == [[[1, 1], [1, 1], [1, 1]], [[2, 2], [0, 0], [0, 0]]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.targets.tolist() == [[1, 2], [3, 0]]
    assert batch.target_lengths.tolist() == [2, 1]
    assert batch.frame_labels is not None
    assert batch.frame_labels.tolist() == [[1, 1, 2], [3, -1, -1]]
    assert batch.lengths.dtype == torch.int64
    assert batch.frames == 4


def test_times_become_the_time_since_the_frame_before():
    frames = [np.ones((3, 2), np.float32), np.full((1, 2), 2, np.float32)]
    times = [np.array([5, 5.5, 5.5]), np.array([7.0])]  # frames 1 and 2 at the same time
    batch = collate(frames, [[1, 2], [3]], ["a", "b"], times=times)
    assert batch.elapsed is not None
    assert batch.elapsed.tolist() == [[0, 0.5, 0], [0, 0, 0]]
    part = batch.select([1])
    assert part.elapsed is not None
    assert (part.ids, part.x.tolist(), part.elapsed.tolist()) == (
        ("b",),
        [[[2, 2], [0, 0], [0, 0]]],
        [[0, 0, 0]],
    )
    assert collate(frames, [[1], [2]], ["a", "b"]).elapsed is None


@pytest.mark.parametrize(("time", "seen"), [(np.nan, "nan"), (4.0, "4"), (np.inf, "inf")])
def test_times_that_are_none_name_the_utterance(time, seen):
    frames = [np.ones((3, 2), np.float32)]
    with pytest.raises(InputError, match=f"a: frame 1 has the time {seen} s after 5 s: correct"):
        collate(frames, [[1]], ["a"], times=[np.array([5, time, 8.0])])


@pytest.mark.parametrize("name", ["frames", "utterances", "pool"])
def test_senseless_options_are_refused(name):
    assert BatchOptions(**{name: 2**31 - 1}) != BatchOptions()
    for value in (0, -1, 2**31, 2**31 + 1):
        with pytest.raises(InputError, match="frames, utterances and pool must be between 1 and 2"):
            BatchOptions(**{name: value})


def test_options_left_out_are_those_of_earlier_trainings():
    assert BatchOptions() == BatchOptions(frames=6000, utterances=64, pool=24)


def test_the_prefetcher_keeps_the_order_and_passes_errors_on():
    def make(n):
        if n == 3:
            raise ValueError("broken")
        return n * n

    assert list(Prefetcher(make, [0, 1, 2])) == [0, 1, 4]
    items = iter(Prefetcher(make, [2, 3, 4]))
    assert next(items) == 4
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_a_prefetcher_can_be_left_early():
    loader = Prefetcher(lambda n: n, range(1000))
    for item in loader:
        if item == 5:
            break
    loader.close()
    assert not loader._thread.is_alive()


def slow_batches(lengths, options, rng):
    """`make_batches`, utterance by utterance."""

    def cut(order):
        batches, batch = [], []
        for n in order:
            longest = lengths[batch[0]] if batch else lengths[n]
            full = (len(batch) + 1) * longest > options.frames or len(batch) >= options.utterances
            if batch and full:
                batches.append(batch)
                batch = []
            batch.append(n)
        return [*batches, batch] if batch else batches

    if rng is None:
        return cut(sorted(range(len(lengths)), key=lambda n: -lengths[n]))
    order = rng.permutation(len(lengths)).tolist()
    mean = max(1.0, sum(lengths) / len(lengths)) if lengths else 1.0
    pool = max(1, round(options.pool * min(options.utterances, options.frames / mean)))
    batches = []
    for start in range(0, len(order), pool):
        batches += cut(sorted(order[start : start + pool], key=lambda n: -lengths[n]))
    return [batches[n] for n in rng.permutation(len(batches))]


@given(
    st.lists(st.integers(1, 500), max_size=200),
    st.builds(BatchOptions, st.integers(1, 2000), st.integers(1, 20), st.integers(1, 9)),
    st.none() | st.integers(0, 9),
)
@example([1] * 9, BatchOptions(4, 9, 1), 0)  # a pool of four
@example(list(range(1, 9)), BatchOptions(100, 1, 1), 0)  # a pool of one
def test_batches_are_those_of_the_slow_way(lengths, options, seed):
    rngs = (None, None) if seed is None else tuple(np.random.default_rng(seed) for _ in range(2))
    found, slow = make_batches(lengths, options, rngs[0]), slow_batches(lengths, options, rngs[1])
    assert list(found) == slow
    assert list(found[1::2]) == slow[1::2]
    assert found.sizes.tolist() == [len(batch) for batch in slow]
    held = sum(lengths[n] for batch in slow for n in batch)
    total = sum(len(batch) * max(lengths[n] for n in batch) for batch in slow)
    assert padding_share(found, lengths) == (1.0 - held / total if total else 0.0)


def test_the_order_of_a_seed_stays_what_it_was():
    """Seeded trainings of earlier versions took these batches."""
    lengths = [1 + 37 * n % 50 for n in range(30)]
    batches = make_batches(lengths, BatchOptions(100, 6, 2), np.random.default_rng(7))
    assert list(batches[:4]) == [[7, 15], [17, 14, 22], [8, 16], [20, 1]]


@pytest.mark.parametrize("shuffled", [False, True])
def test_utterances_without_frames_count_as_one_frame_each(shuffled):
    rng = np.random.default_rng(0) if shuffled else None
    batches = make_batches([0] * 10, BatchOptions(frames=4, utterances=9, pool=1), rng)
    assert sorted(map(len, batches)) == [2, 4, 4]
    assert padding_share(batches, [0] * 10) == 0.0
