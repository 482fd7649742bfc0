"""Posteriors and language models that the decoders are timed with (bench_decode.py)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, Lexicon, NgramLM

WEIGHT, BONUS = 0.6, 0.5
"""Of the language models; the bonus for words of the lexicon."""


@dataclass(frozen=True)
class Task:
    """Posteriors, and language models and lexica for the decoders."""

    name: str
    alphabet: Alphabet
    log_probs: list[np.ndarray]
    lm: NgramLM | None = None
    lexicon: Lexicon | None = None
    arpa: str = ""

    def score(self, labels: Sequence[str]) -> float:
        """ln p(labels | x) is added by the caller; the weighted language model's share."""
        if self.lm is None:
            return 0.0
        if self.lexicon is None:
            return WEIGHT * self.lm.score(labels)
        words = "".join(labels).split()
        if any(word not in set(self.lexicon.words) for word in words):
            return -math.inf
        return WEIGHT * self.lm.score(words) + BONUS * len(words)


def spiky(texts: list[list[int]], K: int, stretch: float, seed: int) -> list[np.ndarray]:
    """Blank with spikes of one to three frames at the labels, each with a rival."""
    rng = np.random.default_rng(seed)
    outputs = []
    for text in texts:
        T = int(len(text) * stretch)
        logits = rng.normal(0, 1.2, (T, K))
        logits[:, 0] += 9
        for place, k in zip(np.linspace(2, T - 3, len(text)).astype(int), text, strict=True):
            height, rival = 10 + rng.normal(0, 2), rng.integers(1, K)
            for t in range(place, place + rng.integers(1, 4)):
                logits[min(t, T - 1), k] += height
                logits[min(t, T - 1), rival] += height * rng.uniform(0.3, 0.95)
        logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
        outputs.append(logits.astype(np.float32))
    return outputs


def random_texts(rng: np.random.Generator, words: list[str], count: int, length: int) -> list[str]:
    """Sentences with Zipf's frequencies, in which words like some followers better than others."""
    order = rng.permutation(len(words))
    texts = []
    for _ in range(count):
        sentence: list[str] = []
        while sum(map(len, sentence)) + len(sentence) < length:
            rank = min(int(rng.pareto(0.7)), len(words) - 1)
            before = order[len(sentence[-1]) * 37 % len(words)] if sentence else 0
            sentence.append(words[(rank + before) % len(words)])
        texts.append(" ".join(sentence))
    return texts


def make_tasks(count: int, folder: Path) -> list[Task]:
    rng = np.random.default_rng(1)
    phones = Alphabet([chr(0x100 + k) for k in range(61)], "phone")  # one character each, for peers
    letters = [chr(0x100 + k) for k in range(52)]
    characters = Alphabet([" ", *letters, *(chr(0x200 + k) for k in range(26))], "character")
    share = rng.dirichlet(np.full(26, 1.0))
    words: dict[str, None] = {}
    while len(words) < 20000:
        words["".join(rng.choice(letters[:26], rng.integers(2, 12), p=share))] = None
    steps = rng.dirichlet(np.full(61, 0.1), 61)

    def walk(length: int) -> list[int]:
        k, path = 0, []
        for _ in range(length):
            k = int(rng.choice(61, p=steps[k]))
            path.append(k + 1)
        return path

    spoken = [walk(int(rng.normal(38, 6))) for _ in range(count)]
    corpus = [[phones.symbols[k - 1] for k in walk(40)] for _ in range(400)]
    written = random_texts(rng, list(words), count, 50)
    sentences = random_texts(rng, list(words), 4000, 50)
    phone_lm = NgramLM.train(corpus, 4, phones.symbols)
    letter_lm = NgramLM.train([list(s) for s in sentences[:1500]], 4, characters.symbols)
    word_lm = NgramLM.train([s.split() for s in sentences], 2, list(words))
    files = {}
    for name, lm in (("phones", phone_lm), ("letters", letter_lm), ("words", word_lm)):
        files[name] = str(folder / f"{name}.arpa")
        lm.to_arpa(files[name])
    heard = spiky(spoken, 62, 8.0, 2)
    seen = spiky([characters.encode(list(text)) for text in written], 80, 8.0, 3)
    lexicon = Lexicon.from_words(characters, words)
    return [
        Task("phones", phones, heard),
        Task("phones, 4-gram", phones, heard, phone_lm, arpa=files["phones"]),
        Task("characters", characters, seen),
        Task("characters, 4-gram", characters, seen, letter_lm, arpa=files["letters"]),
        Task("20k words, bigram", characters, seen, word_lm, lexicon, files["words"]),
    ]


def model_task(model: Path, manifest: Path, count: int) -> Task:
    import seqlabel
    from seqlabel.corpora.manifest import read_manifest

    recognizer = seqlabel.load(model)
    utterances = read_manifest(manifest)[:count]
    outputs = [output.log_probs for _, output in recognizer.outputs(utterances)]
    return Task(f"trained model on {manifest.name}", recognizer.alphabet, outputs)


def decoder_of(task: Task, beam: int, threads: int, **options: Any) -> BeamDecoder:
    return BeamDecoder(
        task.alphabet, beam, lm=task.lm, lexicon=task.lexicon, lm_weight=WEIGHT,
        bonus=BONUS if task.lexicon else 0.0, threads=threads, **options,
    )  # fmt: skip
