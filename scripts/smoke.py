"""What a user of the installed package does first; `scripts/release.sh` type-checks and runs it."""

import numpy as np

import seqlabel
from seqlabel import pretrained
from seqlabel.alphabet import Alphabet
from seqlabel.decoding import BeamDecoder, GreedyDecoder, Result
from seqlabel.scoring import score


def main() -> None:
    alphabet = Alphabet(["a", "b"], unit="character")
    probabilities = np.array([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.2, 0.1, 0.7]])
    log_probs = np.log(probabilities)[None]
    greedy: Result = GreedyDecoder(alphabet).decode(log_probs, [3])[0]
    beam: Result = BeamDecoder(alphabet, beam=4).decode(log_probs, [3])[0]
    assert greedy.text == beam.text == "ab", (greedy, beam)
    assert score({"u": ["a", "b"]}, {"u": greedy.labels}).rate == 0

    for name in pretrained.names():
        folder = pretrained.find(name)
        (example,) = folder.glob("example.*")
        print(f"{name}: {seqlabel.load(name).read(example).text}")


if __name__ == "__main__":
    main()
