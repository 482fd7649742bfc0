"""Speed of the decoders compared with those of other packages, on the same posteriors.

    python scripts/bench_decode.py [--quick] [--cores] [--model EXP --data MANIFEST] [--json FILE]

Posteriors of a seeded generator, peaky as a trained network's: phones (T about 300, K = 62) and
characters (T about 400, K = 80); with --model also those of a trained model. One thread each, the
contestants in turn, processor time, medians of the rounds. Peers are used if they are installed
(extra `peers`, and pyctcdecode, which needs its own environment with numpy below 2); missing ones
are named. `score` is the mean of ln p(labels | x) plus the weighted language model,
computed here for the best labelling of each; `agree` the share of utterances with the labelling of
seqlabel's wide search (beam 400).
"""

import argparse
import importlib
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from decode_tasks import BONUS, WEIGHT, Task, decoder_of, make_tasks, model_task

from seqlabel.files import write_json

Decode = Callable[[np.ndarray], Sequence[str]]
"""(T, K) float32 log-probabilities -> labels."""


def ours(task: Task, beam: int, **options: Any) -> Decode:
    decoder = decoder_of(task, beam, 1, **options)
    return lambda x: decoder.decode(x[None], [len(x)])[0].labels


def fast_ctc_decode(task: Task, beam: int) -> Decode | None:
    if task.lm is not None or not all(len(s) == 1 for s in task.alphabet.symbols):
        return None
    library = importlib.import_module("fast_ctc_decode")
    symbols = ["\N{EMPTY SET}", *task.alphabet.symbols]
    return lambda x: library.beam_search(np.exp(x), symbols, beam, 0.001)[0]


def flashlight(task: Task, beam: int, top: int = 10) -> Decode:
    library = importlib.import_module("flashlight.lib.text.decoder")
    dictionary = importlib.import_module("flashlight.lib.text.dictionary").Dictionary
    symbols = ["<blank>", *("<space>" if s == " " else s for s in task.alphabet.symbols)]
    space = symbols.index("<space>") if "<space>" in symbols else len(symbols) - 1
    weight, ctc = WEIGHT * math.log(10), library.CriterionType.CTC  # KenLM speaks log10
    K = len(symbols)

    def collapse(tokens: Sequence[int]) -> list[str]:
        tokens = tokens[1:-1]  # what stands before the first frame and behind the last
        merged = [k for k, before in zip(tokens, [-1, *tokens], strict=False) if k != before]
        return [task.alphabet.symbols[k - 1] for k in merged if k > 0]

    if task.lexicon is None:
        lm = library.ZeroLM() if task.lm is None else library.KenLM(task.arpa, dictionary(symbols))
        options = library.LexiconFreeDecoderOptions(beam, top, 1e9, weight, 0.0, True, ctc)
        free = library.LexiconFreeDecoder(options, lm, space, 0, [])
        return lambda x: collapse(free.decode(x.ctypes.data, len(x), K)[0].tokens)
    words = dictionary([*task.lexicon.words, "<unk>"])
    lm = library.KenLM(task.arpa, words)
    trie = library.Trie(K, space)
    start = lm.start(False)
    for number, word in enumerate(task.lexicon.words):
        spelled = [*task.alphabet.encode(list(word)), space]
        trie.insert(spelled, number, lm.score(start, number)[1])
    trie.smear(library.SmearingMode.MAX)
    options = library.LexiconDecoderOptions(
        beam, top, 1e9, weight, BONUS, -math.inf, 0.0, True, ctc
    )  # fmt: skip
    unknown = words.get_index("<unk>")
    decoder = library.LexiconDecoder(options, trie, lm, space, 0, unknown, [], False)
    ending = np.full((1, K), -30.0, np.float32)  # words end with a blank here, so one is added
    ending[0, space] = 0.0

    def decode(x: np.ndarray) -> Sequence[str]:
        x = np.ascontiguousarray(np.concatenate([x, ending]))
        return collapse(decoder.decode(x.ctypes.data, len(x), K)[0].tokens)[:-1]

    return decode


def pyctcdecode(task: Task, beam: int) -> Decode:
    """Its language models are over words: of a model over labels every label is made a word."""
    library = importlib.import_module("pyctcdecode")
    symbols = list(task.alphabet.symbols)
    if task.lm is None:
        decoder = library.build_ctcdecoder(["", *symbols])
        return lambda x: decoder.decode(x, beam_width=beam)
    model = {"kenlm_model_path": task.arpa, "alpha": WEIGHT}
    if task.lexicon is not None:
        decoder = library.build_ctcdecoder(
            ["", *symbols], unigrams=task.lexicon.words, beta=BONUS, **model
        )
        return lambda x: decoder.decode(x, beam_width=beam)
    # "▁" begins a word, and the label for what is unknown, which it demands, is never probable
    words = ["", *("▁" + symbol.replace(" ", "<space>") for symbol in symbols), "▁⁇▁"]
    unigrams = [word[1:] for word in words[1:-1]]
    decoder = library.build_ctcdecoder(words, unigrams=unigrams, beta=0.0, **model)
    never = np.float32(-1e3)
    named = {word[1:]: symbol for word, symbol in zip(words[1:], symbols, strict=False)}

    def decode(x: np.ndarray) -> list[str]:
        text = decoder.decode(np.pad(x, ((0, 0), (0, 1)), constant_values=never), beam_width=beam)
        return [named[word] for word in text.split()]

    return decode


PEERS = {
    "fast-ctc-decode, cut 0.001": ("fast_ctc_decode", fast_ctc_decode),
    "flashlight-text, top 10": ("flashlight.lib.text.decoder", flashlight),
    "pyctcdecode": ("pyctcdecode", pyctcdecode),
}


def contestants(task: Task, beam: int) -> dict[str, Decode]:
    found: dict[str, Decode] = {"seqlabel, exact": ours(task, beam)}
    found["seqlabel, cut 0.001"] = ours(task, beam, label_min_prob=0.001)
    for name, (module, build) in PEERS.items():
        try:
            importlib.import_module(module)
        except ImportError:
            continue
        decoder = build(task, beam)
        if decoder is not None:
            found[name] = decoder
    return found


def path_log_prob(x: np.ndarray, labels: Sequence[int]) -> float:
    """ln p(labels | x), by the forward algorithm of Graves et al. 2006 in the log domain."""
    states = np.zeros(2 * len(labels) + 1, int)
    states[1::2] = labels
    skip = np.zeros(len(states), bool)
    skip[2:] = (states[2:] != 0) & (states[2:] != states[:-2])
    alpha = np.full(len(states), -np.inf)
    alpha[:2] = x[0, states[:2]]
    with np.errstate(invalid="ignore"):
        for frame in x[1:].astype(np.float64):
            before = alpha
            alpha = np.logaddexp(before, np.pad(before, (1, 0), constant_values=-np.inf)[:-1])
            over = np.pad(before, (2, 0), constant_values=-np.inf)[:-2]
            alpha = np.logaddexp(alpha, np.where(skip, over, -np.inf)) + frame[states]
        return float(np.logaddexp.reduce(alpha[-2:]))


def measure(task: Task, beam: int, rounds: int) -> list[dict[str, Any]]:
    decoders = contestants(task, beam)
    wide = [tuple(ours(task, 400)(x)) for x in task.log_probs]
    seconds: dict[str, list[float]] = {name: [] for name in decoders}
    best = {name: [tuple(decode(x)) for x in task.log_probs] for name, decode in decoders.items()}
    for _ in range(rounds):
        for name, decode in decoders.items():
            begun = time.process_time()
            for x in task.log_probs:
                decode(x)
            seconds[name].append(time.process_time() - begun)
    frames = sum(map(len, task.log_probs))
    rows = []
    for name, spent in seconds.items():
        scores = [
            path_log_prob(x, task.alphabet.encode(list(labels))) + task.score(labels)
            for x, labels in zip(task.log_probs, best[name], strict=True)
        ]
        rows.append(
            {
                "task": task.name,
                "beam": beam,
                "decoder": name,
                "frames_per_second": frames / statistics.median(spent),
                "utterances_per_second": len(task.log_probs) / statistics.median(spent),
                "times_slower": statistics.median(
                    a / b for a, b in zip(spent, seconds["seqlabel, cut 0.001"], strict=True)
                ),
                "score": float(np.mean(scores)),
                "agree": float(np.mean([a == b for a, b in zip(best[name], wide, strict=True)])),
            }
        )
    return rows


def all_cores(task: Task, rounds: int) -> dict[str, Any]:
    """Wall time of a batch of 64, beam 100, with one thread and with one per core, in turns.

    bound: what as many processes gain that share nothing, each with batches of its own.
    """
    cores = len(os.sched_getaffinity(0))
    one, several = map(statistics.median, batch_seconds(task, (1, cores), rounds))
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Semaphore(0), context.Event()
    others = [
        context.Process(target=keep_busy, args=(task, ready, stop), daemon=True)
        for _ in range(cores - 1)
    ]
    for other in others:
        other.start()
    if not all(ready.acquire(timeout=120) for _ in others):
        raise RuntimeError("another process did not begin to decode")
    [crowded] = batch_seconds(task, (1,), rounds)
    stop.set()
    for other in others:
        other.join()
    bound = cores * one / statistics.median(crowded)
    return {"task": task.name, "cores": cores, "ratio": one / several, "bound": bound}


BATCHES = 4
"""One after the other, as a set is decoded: the first finds the other cores asleep."""


def keep_busy(task: Task, ready: Any, stop: Any) -> None:
    """Decode batches until told to stop."""
    batch_seconds(task, (1,), 1)
    ready.release()
    while not stop.is_set():
        batch_seconds(task, (1,), 10)


def batch_seconds(task: Task, threads: Sequence[int], rounds: int) -> list[list[float]]:
    """Seconds of a batch with each number of threads, in turns."""
    batch = [task.log_probs[n % len(task.log_probs)] for n in range(64)]
    lengths = np.array(list(map(len, batch)))
    padded = np.zeros((64, lengths.max(), len(task.alphabet)), np.float32)
    for row, x in zip(padded, batch, strict=True):
        row[: len(x)] = x
    decoders = [decoder_of(task, 100, count) for count in threads]
    spent: list[list[float]] = [[] for _ in threads]
    for number in range(rounds + 1):  # the first one warms up
        for decoder, times in zip(decoders, spent, strict=True):
            begun = time.perf_counter()
            for _ in range(BATCHES):
                decoder.decode(padded, lengths)
            if number:
                times.append((time.perf_counter() - begun) / BATCHES)
    return spent


FIRST = """
import sys, time, numpy as np
from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, Lexicon, NgramLM
from seqlabel.decoding.search.spans import span_kernels
rng, K, T = np.random.default_rng(1), 62, 300
alphabet = Alphabet([chr(0x100 + k) for k in range(K - 1)], "character")
words = ["".join(rng.choice(alphabet.symbols, 5)) for _ in range(2000)]
options = {
    "labels": lambda: {},
    "4-gram": lambda: {"lm": NgramLM.train([rng.choice(alphabet.symbols, 40)] * 20, 4)},
    "words": lambda: {
        "lm": NgramLM.train([words], 2), "lexicon": Lexicon.from_words(alphabet, words, None)
    },
}[sys.argv[1]]()
logits = rng.normal(0, 1.2, (1, T, K))
logits[:, :, 0] += 9
logits[0, np.arange(4, T, 8), rng.integers(1, K, 37)] += 11
logits -= np.logaddexp.reduce(logits, axis=2, keepdims=True)
begun = time.perf_counter()
decoder = BeamDecoder(alphabet, 100, **options)
decoder.decode(logits, [T])
first = time.perf_counter() - begun
decoder.kernels("batch").wait()
span_kernels(logits.dtype, True).wait()
print(first, time.perf_counter() - begun)
"""


def first_calls() -> dict[str, dict[str, float]]:
    """Seconds to a decoder's first result (300 frames, beam 100) and to its compiled search.

    Of each kind of search, in a process of its own: without a cache of kernels, and with one.
    """
    found = {}
    for kind in ("labels", "4-gram", "words"):
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, "-c", FIRST, kind]
            environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
            row: dict[str, float] = {}
            for state in ("empty cache", "cached"):
                run = subprocess.run(command, env=environment, capture_output=True, check=True)
                row[state], row[f"compiled, {state}"] = map(float, run.stdout.split())
        found[kind] = row
    return found


def compare(tasks: list[Task], rounds: int) -> list[dict[str, Any]]:
    """The table of all tasks, beams and decoders, printed as it grows."""
    results = []
    print(f"{'task':26} beam  {'decoder':27} frames/s    utt/s  slower     score  agree")
    for task in tasks:
        for beam in (100,) if task.lexicon else (10, 25, 100):
            for row in measure(task, beam, rounds):
                results.append(row)
                print(
                    f"{task.name:26} {beam:4}  {row['decoder']:27} "
                    f"{row['frames_per_second']:8.0f} {row['utterances_per_second']:8.1f} "
                    f"{row['times_slower']:7.1f} {row['score']:9.3f} {row['agree']:6.2f}",
                    flush=True,
                )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few utterances, one round")
    parser.add_argument("--cores", action="store_true", help="all cores against one, nothing else")
    parser.add_argument("--model", type=Path, metavar="EXP", help="a trained model as well")
    parser.add_argument("--data", type=Path, metavar="MANIFEST", help="what that model reads")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rounds, count = (1, 4) if options.quick else (5, 24)
    for name, (module, _) in PEERS.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            print(f"absent: {name} ({error})")
    with tempfile.TemporaryDirectory() as folder:
        tasks = make_tasks(count, Path(folder))
        if options.model:
            tasks.append(model_task(options.model, options.data, count))
        results = [] if options.cores else compare(tasks, rounds)
        cores = [all_cores(task, 2 * rounds) for task in tasks]
    for row in cores:
        print(
            f"{row['task']:26} {row['cores']} cores against one: {row['ratio']:.2f}, "
            f"{row['cores']} processes that share nothing: {row['bound']:.2f}"
        )
    first = first_calls()
    for kind, row in first.items():
        print(
            f"first result, {kind}: {row['empty cache']:.2f} s without a cache of kernels "
            f"(compiled after {row['compiled, empty cache']:.1f} s), {row['cached']:.2f} s with one"
        )
    if options.json:
        write_json(options.json, {"decoders": results, "cores": cores, "first_call": first})


if __name__ == "__main__":
    main()
