"""Log-probabilities become labels: greedy, beam, lexicon, n-grams, alignment, spotting."""
