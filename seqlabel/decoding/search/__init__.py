"""The compiled prefix beam search, over labels and over the words of a lexicon."""
