"""The report as a whole: totals, unit, fingerprint, and every kind of bad input."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from seqlabel.errors import InputError
from seqlabel.files import write_jsonl
from seqlabel.report.text import summary
from seqlabel.scoring import PROTOCOLS, Transcript, Transcripts, score

LABELS = st.lists(st.sampled_from(["aa", "b", "sil", "t"]), max_size=8)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("xyz", min_size=1, max_size=3), st.tuples(LABELS, LABELS)))
def test_totals_equal_the_edit_distance_and_add_up(edit_distance, pairs):
    if not any(reference for reference, _ in pairs.values()):
        return
    references = {key: reference for key, (reference, _) in pairs.items()}
    hypotheses = {key: hypothesis for key, (_, hypothesis) in pairs.items()}
    report = score(references, hypotheses, "plain", resamples=10)
    assert report.counts.errors == sum(edit_distance(r, h) for r, h in pairs.values())
    assert report.counts.reference_tokens == sum(map(len, references.values()))
    assert report.rate == report.counts.errors / report.counts.reference_tokens
    assert [u.id for u in report.utterances] == list(references)
    for utterance in report.utterances:
        assert utterance.reference == tuple(references[utterance.id])
        assert utterance.hypothesis == tuple(hypotheses[utterance.id])


WORDS = st.lists(st.sampled_from(["ab", "abc", "b", "ba", "naïve"]), min_size=1, max_size=12)
SENTENCES = WORDS.map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=4))
def test_errors_of_text_are_the_levenshtein_distance(edit_distance, pairs):
    references = {str(n): reference for n, (reference, _) in enumerate(pairs)}
    hypotheses = {str(n): hypothesis for n, (_, hypothesis) in enumerate(pairs)}
    for protocol, tokens in (
        ("cer", list), ("cer-nospace", lambda text: list(text.replace(" ", ""))),
        ("wer", str.split), ("plain", str.split),
    ):  # fmt: skip
        report = score(references, hypotheses, protocol, resamples=10)
        split = [(tokens(r), tokens(h)) for r, h in pairs]
        errors = sum(edit_distance(r, h) for r, h in split)
        assert errors == sum(Levenshtein.distance(r, h) for r, h in split)
        assert report.counts.errors == report.errors_by_costs["unit"] == errors
        assert report.rate == errors / sum(len(r) for r, _ in split)
        by_sclite = score(references, hypotheses, protocol, costs="sclite", resamples=10)
        assert by_sclite.counts.errors == report.errors_by_costs["sclite"]
        assert by_sclite.errors_by_costs == report.errors_by_costs


def test_each_protocol_has_its_costs():
    labels = {"u": ["h#", "aa"]}
    assert {name: score(labels, labels, name).costs for name in PROTOCOLS} == {
        "plain": "unit", "kaldi": "sclite", "kaldi-optional-sil": "sclite", "speechbrain": "unit",
        "graves2006": "unit", "cer": "unit", "cer-nospace": "unit", "cer-grapheme": "unit",
        "wer": "unit",
    }  # fmt: skip
    text = {"u": "a b"}
    on_request = score(text, text, "cer", costs="sclite")
    assert (on_request.costs, on_request.also[0].costs) == ("sclite", "sclite")


@pytest.mark.parametrize(
    ("references", "hypotheses", "metric", "rate"),
    [  # jiwer's documentation
        (["hello world"], ["hello duck"], "wer", 1 / 2),
        (["hello world", "i like monthy python"], ["hello duck", "i like python"], "wer", 2 / 6),
        (["i can spell", "i hope"], ["i kan cpell", "i hop"], "cer", 3 / 17),
        (["short one here", "quite a bit of longer sentence"],
         ["shoe order one", "quite bit of an even longest sentence here"], "wer", 8 / 9),
    ],
)  # fmt: skip
def test_the_rates_of_jiwers_documentation(references, hypotheses, metric, rate):
    report = score(
        {str(n): text for n, text in enumerate(references)},
        {str(n): text for n, text in enumerate(hypotheses)},
        metric,
    )
    assert report.rate == pytest.approx(rate)
    assert report.metric == metric.upper()


def test_words_come_along_with_characters():
    report = score({"u": list("the cat sat")}, {"u": list("the  bat sat")})
    assert (report.metric, report.unit, report.protocol) == ("CER", "character", "cer")
    assert report.protocol_reason == "the labels are characters"
    assert report.counts.errors == 2  # the second blank is an emitted label like any other
    (words,) = report.also
    assert (words.metric, words.counts.errors, words.counts.reference_tokens) == ("WER", 1, 3)


def test_hypotheses_of_characters_need_no_blank_among_them():
    report = score({"u": list("a b"), "v": list("ab")}, {"u": list("ab"), "v": list("ab")})
    assert (report.counts.errors, report.also[0].counts.errors) == (1, 2)


@pytest.mark.parametrize("protocol", [None, "cer", "cer-nospace", "wer"])
@pytest.mark.parametrize("ending", ["trn", "txt"])
def test_words_are_compared_as_text_with_characters(tmp_path, protocol, ending):
    references = Transcripts.gather("ref", [Transcript("u", tuple("a cat"), "a cat")])
    references = replace(references, unit="character")
    lines = {"trn": "a {} (u)\n", "txt": "u a {}\n"}
    for word, errors in (("cat", 0), ("bat", 1)):
        (tmp_path / f"hyp.{ending}").write_text(lines[ending].format(word))
        report = score(references, tmp_path / f"hyp.{ending}", protocol)
        assert report.counts.errors == errors
    spelled = score(references, {"u": list("abat")}, "cer")  # a label a character: these are known
    assert spelled.counts.errors == 2


def test_what_does_not_count_may_be_named_for_the_protocol_that_is_chosen():
    characters, words = {"u": list("A CAT")}, {"u": "a cat"}
    report = score(words, characters, unit="character", ignore=["case"])
    assert (report.counts.errors, report.protocol) == (0, "cer, ignoring case")
    with pytest.raises(InputError, match="ignore has 'accents'; known: case, punctuation, spaces"):
        score(words, characters, ignore=["accents"])


def test_text_against_characters():
    """The references of one system are words, the other emits letters."""
    letters = Transcripts("hyp", {"u": Transcript("u", tuple("the hat"))}, unit="character")
    report = score({"u": "the cat"}, letters)
    assert (report.metric, report.counts.errors, report.also[0].rate) == ("CER", 1, 0.5)


@pytest.mark.parametrize(
    ("unit", "labels", "text"),
    [
        ("character", ["a", "b", " ", "a"], "ab a"),
        ("grapheme", ["a", "e\u0301", " ", "a"], "ae\u0301 a"),
        ("latex", ["\\frac", "{", "1", "}", "{", "x", "}"], r"\frac{1}{x}"),
        ("phone", ["ah", "b"], "ah b"),
        ("", ["ah", "b"], "ah b"),
        ("", ["a", "b", " ", "a"], "ab a"),
    ],
)
def test_text_is_split_by_the_unit_of_the_other_side(unit, labels, text):
    """A perfect hypothesis of which only the text is known, or a reference."""
    with_labels = Transcripts("with", {"u": Transcript("u", tuple(labels))}, unit=unit)
    report = score(with_labels, {"u": text}, "plain")
    assert (report.counts.reference_tokens, report.counts.errors) == (len(labels), 0)
    if unit:
        report = score({"u": text}, with_labels, "plain")
        assert (report.counts.reference_tokens, report.counts.errors) == (len(labels), 0)


def test_text_that_cannot_be_split_names_the_utterance():
    latex = Transcripts("ref", {"u7": Transcript("u7", ("x",))}, unit="latex")
    with pytest.raises(InputError, match=r"hypothesis: utterance 'u7': LaTeX .* unbalanced"):
        score(latex, {"u7": "{x"}, "plain")


def test_unit_and_metric():
    labels = {"u": ["aa", "b"]}
    assert score(labels, labels).metric == "SER"
    assert score(labels, labels, unit="phone").metric == "PER"
    assert score(labels, labels, unit="phone").protocol == "kaldi"
    assert score(labels, labels, "plain", unit="word").metric == "WER"
    assert score(labels, labels, "graves2006").metric == "PER"
    with pytest.raises(InputError, match="unit 'letters' is not one of"):
        score(labels, labels, unit="letters")
    with pytest.raises(InputError, match="costs 'cheap' are not one of"):
        score(labels, labels, costs="cheap")
    with pytest.raises(InputError, match="resamples is 0"):
        score(labels, labels, resamples=0)


def test_an_empty_reference_is_scored_by_what_was_inserted():
    """The convention of jiwer 4: insertions over one, and they count in the total."""
    report = score({"u": ["a", "b"], "v": [], "w": []}, {"u": ["a", "b"], "v": ["c"], "w": []})
    assert [u.counts.rate for u in report.utterances] == [0, 1, 0]
    assert (report.counts.insertions, report.rate) == (1, 0.5)
    two = score({"u": ["a"], "v": []}, {"u": ["a"], "v": ["c", "d"]})
    assert two.utterances[1].counts.rate == 2


def test_an_empty_reference_set_scores_insertions():
    """What jiwer 4 gives for "peaceful silence" against nothing: 2 insertions, a rate of 2."""
    for empty, said in (("", "peaceful silence"), ([], ["peaceful", "silence"])):
        report = score({"u": empty}, {"u": said}, "wer")
        assert (report.counts.insertions, report.counts.reference_tokens) == (2, 0)
        assert report.rate == 2
        assert "WER undefined, since the references have no words" in summary(report)
        assert "2 errors in 0 words" in summary(report)
    text = summary(score({"u": "", "v": ""}, {"u": "a b c", "v": ""}, "cer"))
    assert "also: WER undefined, since the references have no words, 3 errors in 0 words" in text
    assert "%" not in text
    assert score({"u": ""}, {"u": ""}, "wer").rate == 0
    folded = score({"u": ["q"], "v": ["q"]}, {"u": ["q"], "v": ["aa"]}, "kaldi")
    assert (folded.counts.errors, folded.counts.reference_tokens) == (1, 0)
    with pytest.raises(InputError, match="no utterances"):
        score({}, {})


def test_an_unknown_text_is_not_an_empty_one(tmp_path):
    """Neither labels nor text: skipped and named. An empty text: scored."""
    reference, hypothesis = tmp_path / "ref.jsonl", tmp_path / "hyp.jsonl"
    rows = [{"id": "u", "labels": ["a"]}, {"id": "v", "labels": [], "text": ""}]
    write_jsonl(reference, [*rows, {"id": "w", "labels": []}])
    write_jsonl(hypothesis, [{"id": key, "labels": ["a"], "text": "a"} for key in "uvw"])
    report = score(reference, hypothesis)
    assert [(u.id, u.counts.errors) for u in report.utterances] == [("u", 0), ("v", 1)]
    assert report.skipped == {"w": "the reference has neither labels nor text"}
    write_jsonl(hypothesis, [{"id": key, "labels": ["a"], "text": "a"} for key in "uv"])
    assert [u.id for u in score(reference, hypothesis).utterances] == ["u", "v"]
    write_jsonl(reference, [{"id": "w", "labels": []}])
    with pytest.raises(InputError, match="neither labels nor text in any utterance"):
        score(reference, hypothesis, allow_missing=True)


def test_phones_that_neither_model_nor_map_knows_are_errors_and_keep_the_protocol(tmp_path):
    hypothesis = tmp_path / "hyp.jsonl"
    header = {"decoder": "greedy", "unit": "phone", "unseen": {"zz": 1}}
    write_jsonl(hypothesis, [header, {"id": "u", "labels": ["aa", "tcl"], "text": "aa tcl"}])
    references = Transcripts.of("ref", {"u": ["aa", "zz", "h#"]})
    for protocol in (None, "kaldi"):
        report = score(replace(references, unit="phone"), hypothesis, protocol)
        assert (report.protocol, report.counts.correct, report.counts.errors) == ("kaldi", 2, 1)
    header["unseen"] = {}
    write_jsonl(hypothesis, [header, {"id": "u", "labels": ["aa", "tcl"], "text": "aa tcl"}])
    with pytest.raises(InputError, match="symbol 'zz' is not in the map of protocol 'kaldi'"):
        score(replace(references, unit="phone"), hypothesis, "kaldi")


def test_symbols_that_the_model_lacks_are_named_and_scored_as_errors(tmp_path):
    hypothesis = tmp_path / "hyp.jsonl"
    header = {"decoder": "greedy", "unseen": {"\\prime": 2, "z": 1}}
    write_jsonl(hypothesis, [header, {"id": "u", "labels": ["x", "x"], "text": "x x"}])
    report = score({"u": ["x", "\\prime", "z", "\\prime"]}, hypothesis, "plain")
    assert (report.counts.correct, report.counts.errors) == (1, 3)
    assert report.unseen == {"\\prime": 2, "z": 1}
    assert report.to_json()["unseen"] == report.unseen
    assert "3 labels of the references are of symbols that the model lacks" in summary(report)
    assert "'z' (1)" in summary(report)


def test_different_utterance_sets_are_refused_and_named():
    references = {f"u{n}": ["a"] for n in range(9)}
    with pytest.raises(InputError, match=r"hypothesis: 7 of the 9 .*'u2', .*'u6', \.\.\..*--allow"):
        score(references, {"u0": ["a"], "u1": ["a"]})
    with pytest.raises(InputError, match=r"reference: 1 of the 10 .*\('x'\).*leaves them out"):
        score(references, references | {"x": ["a"]})


def test_allow_missing_scores_deletions_and_skips_what_has_no_reference():
    report = score({"u": ["a", "b"], "v": ["a"]}, {"v": ["a"], "x": ["?"]}, allow_missing=True)
    assert (report.counts.deletions, report.counts.errors, report.rate) == (2, 2, 2 / 3)
    assert report.missing == ("u",)
    assert report.skipped == {"x": "no reference"}
    with pytest.raises(InputError, match="no utterance of"):
        score({"u": ["a"]}, {"v": ["a"]}, allow_missing=True)


def test_a_symbol_outside_the_map_in_a_skipped_hypothesis_does_no_harm():
    report = score({"u": ["aa"]}, {"u": ["aa"], "x": ["?"]}, "kaldi", allow_missing=True)
    assert report.rate == 0


def test_the_fingerprint_is_of_ids_and_scored_labels():
    references = {"u": ["aa", "q"], "v": ["b"]}
    same = score(references, references, "kaldi").reference_fingerprint
    reordered = dict(reversed(references.items()))
    assert score(reordered, references, "kaldi").reference_fingerprint == same
    assert score({"u": ["ao"], "v": ["b"]}, references, "kaldi").reference_fingerprint == same
    for other in ({"u": ["aa"], "w": ["b"]}, {"u": ["aa", "b"], "v": []}, {"u": ["aa"]}):
        assert score(other, other, "kaldi").reference_fingerprint != same
    assert score(references, references, "plain").reference_fingerprint != same


def test_scoring_starts_without_torch():
    code = "import sys, seqlabel.scoring, seqlabel.cli.score; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
