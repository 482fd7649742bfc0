"""What each protocol counts, on hand-made cases and on the real TIMIT sample."""

import pytest

from seqlabel.alphabet import PHONES_61
from seqlabel.errors import InputError
from seqlabel.scoring import PROTOCOLS, Transcript, Transcripts, score
from seqlabel.scoring.protocols import default_protocol, get_protocol, tokenise

PHONES = ["h#", "sh", "ix", "pau", "bcl", "b", "q", "axr", "kcl", "k", "h#"]


def tokens(name, labels=None, text=None, characters=False):
    return PROTOCOLS[name](
        Transcript("u", None if labels is None else tuple(labels), text), characters
    )


def test_phone_protocols():
    assert " ".join(tokens("kaldi", PHONES)) == "sil sh ih sil sil b er sil k sil"
    assert tokens("kaldi-optional-sil", PHONES) == tokens("kaldi", PHONES)
    assert " ".join(tokens("speechbrain", PHONES)) == "sil sh ih sil b er sil k sil"
    assert tokens("graves2006", PHONES) == tuple(PHONES)
    assert tokens("plain", PHONES) == tuple(PHONES)


def test_repeats_of_other_phones_are_kept():
    assert tokens("speechbrain", ["n", "en", "ax", "ah"]) == ("n", "n", "ah", "ah")


def test_systems_trained_on_48_or_39_phones_can_be_scored():
    found = tokens("kaldi", ["sil", "vcl", "b", "cl", "k", "ax"])
    assert " ".join(found) == "sil sil b sil k ah"
    assert tokens("kaldi", ["sil", "ah"]) == ("sil", "ah")


def test_a_missing_silence_costs_only_where_it_is_scored():
    reference, hypothesis = {"u": ["h#", "sh", "iy", "h#"]}, {"u": ["sh", "iy"]}
    rates = {
        name: score(reference, hypothesis, name).rate
        for name in ("kaldi", "kaldi-optional-sil", "speechbrain", "graves2006")
    }
    assert rates == {
        "kaldi": 0.5, "kaldi-optional-sil": 0, "speechbrain": 0.5, "graves2006": 0.5
    }  # fmt: skip


def test_text_protocols():
    text = "The  cat, naïve\tSat."
    assert tokens("wer", text=text) == ("The", "cat,", "naïve", "Sat.")
    assert "".join(tokens("cer", text=text)) == "The  cat, naïve Sat."
    assert "".join(tokens("cer-nospace", text=text)) == "Thecat,naïveSat."
    lenient = PROTOCOLS["cer"].ignoring(True, True, True)
    assert "".join(lenient(Transcript("u", None, text), False)) == "thecatnaïvesat"
    assert lenient.name == "cer, ignoring case and punctuation and spaces"
    assert PROTOCOLS["wer"].ignoring(True, False, False)(Transcript("u", None, text), False) == (
        "the", "cat,", "naïve", "sat.",
    )  # fmt: skip


def test_composed_and_decomposed_accents_are_the_same_character():
    assert tokens("cer", text="nai\u0308ve") == tokens("cer", text="naïve")


def ignoring(text, **what):
    wanted = {"case": False, "punctuation": False, "spaces": False} | what
    return "".join(PROTOCOLS["cer"].ignoring(**wanted)(Transcript("u", None, text), False))


def test_ignored_punctuation_leaves_no_blanks():
    for text in ("hello – world", "hello , world !", "« hello world »", "hello world"):
        assert ignoring(text, punctuation=True) == "hello world"
    assert (
        score({"u": "a , b ."}, {"u": "a b"}, PROTOCOLS["cer"].ignoring(False, True, False)).rate
        == 0
    )
    assert ignoring(" a  b", case=True) == " a  b"  # nothing is removed


def test_text_is_composed_after_case_and_punctuation_are_gone():
    """Case folding takes \u0390 and \u01f0 apart; a hyphen kept a letter from its accent."""
    assert ignoring("\u0390\u01f0", case=True) == "\u0390\u01f0"
    assert ignoring("e-\u0301", punctuation=True) == "\u00e9"
    assert ignoring("STRASSE", case=True) == ignoring("Straße", case=True) == "strasse"


def test_characters_join_to_words_and_other_labels_do_not():
    assert tokens("wer", "ab cd", characters=True) == ("ab", "cd")
    assert tokens("cer", "ab cd", characters=True) == tuple("ab cd")
    assert tokens("wer", ["ab", "cd"]) == ("ab", "cd")
    # The text goes before labels that are no characters: a lexicon wrote it.
    assert tokens("wer", ["ae", "n", "d"], text="and") == ("and",)
    assert tokens("wer", ["sil"], text="") == ()


def test_what_cannot_be_ignored_is_refused():
    assert PROTOCOLS["cer"].ignoring(False, False, False) is PROTOCOLS["cer"]
    assert PROTOCOLS["cer-nospace"].ignoring(False, False, True) is PROTOCOLS["cer-nospace"]
    with pytest.raises(InputError, match="cannot be ignored"):
        PROTOCOLS["kaldi"].ignoring(True, False, False)
    with pytest.raises(InputError, match="spaces cannot be ignored"):
        PROTOCOLS["wer"].ignoring(False, False, True)
    with pytest.raises(InputError, match="known: plain, kaldi"):
        get_protocol("kaldy")


def test_unknown_symbols_are_errors_that_name_the_utterance():
    for name in ("kaldi", "graves2006"):
        with pytest.raises(InputError, match=r"ref: utterance 'u7': symbol 'AA' .*'" + name):
            tokenise(Transcripts.of("ref", {"u7": ["AA"]}), PROTOCOLS[name])
    with pytest.raises(InputError, match="'sil'"):
        tokenise(Transcripts.of("ref", {"u": ["sil"]}), PROTOCOLS["graves2006"])


def test_the_default_follows_the_labels():
    phones = Transcripts.of("ref", {"u": list(PHONES_61)})
    others = Transcripts.of("ref", {"u": ["AA", "B"]})
    chosen = {
        (unit, refs): default_protocol(refs_set, unit)[0].name
        for unit in ("phone", "character", "word", "symbol", "")
        for refs, refs_set in (("timit", phones), ("other", others))
    }
    assert chosen == {
        ("phone", "timit"): "kaldi", ("phone", "other"): "plain",
        ("character", "timit"): "cer", ("character", "other"): "cer",
        ("word", "timit"): "wer", ("word", "other"): "wer",
        ("symbol", "timit"): "plain", ("symbol", "other"): "plain",
        ("", "timit"): "plain", ("", "other"): "plain",
    }  # fmt: skip


def test_the_token_counts_of_the_timit_sample(timit):
    """Counted once by hand-made scripts: 96 utterances without SA, 24 of three test speakers."""
    spoken = {}
    for path in sorted(timit.rglob("*.PHN")):
        if not path.stem.startswith("SA"):
            labels = [line.split()[2] for line in path.read_text().splitlines()]
            spoken[f"{path.parent.name}-{path.stem}"] = labels
    references = Transcripts.of("sample", spoken)
    counts = {
        name: sum(map(len, tokenise(references, PROTOCOLS[name]).values()))
        for name in ("kaldi", "speechbrain", "graves2006")
    }
    assert len(spoken) == 96
    assert counts == {"kaldi": 3634, "speechbrain": 3624, "graves2006": 3701}
    test = {k: v for k, v in spoken.items() if k[:5] in ("FVMH0", "MADC0", "FBCG1")}
    report = score(test, test, "kaldi")
    assert (len(test), report.counts.reference_tokens, report.rate) == (24, 904, 0)
