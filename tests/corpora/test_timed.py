"""Texts with times become manifests: .stm, .ctm and TextGrid."""

import pytest

from seqlabel.errors import InputError


def test_stm(tmp_path, wavs, write, prepare):
    text = ";; of an interview\na 1 s1 0.5 2 <o,f0,male> hello you\na 1 s2 2 4\n"
    text += "a 1 s1 3 4 IGNORE_TIME_SEGMENT_IN_SCORING\nb B s3 0 1 no\n"
    found, _ = prepare("timed", write(wavs, {"x.stm": text}) / "x.stm")
    first, silent, other = found.values()
    assert (first.source, first.start, first.end) == (wavs / "a.wav", 0.5, 2.0)
    assert (first.text, first.speaker, first.tags) == ("hello you", "s1", {"subset": "o,f0,male"})
    assert (silent.text, silent.labels) == ("", ())
    assert (other.channel, other.text) == (1, "no")
    for line, message in (
        ("c 1 s 0 1 word\n", r"no audio files c\.\* below"),
        ("b 3 s 0 1 word\n", "channel 2 of .*which has 2, counted from 0"),
        ("b left s 0 1 word\n", "has 2 channels; add channel"),
        ("a 1 s 0 1e308 word\n", "expected: recording channel speaker start end"),
    ):
        write(wavs, {"x.stm": line})
        with pytest.raises(InputError, match=rf"x\.stm:1: .*{message}"):
            prepare("timed", wavs / "x.stm")
    for name in ("mono", "2", "B"):
        write(wavs, {"x.stm": f"a {name} s 0 1 word\n"})
        found, _ = prepare("timed", wavs / "x.stm")
        assert [(u.text, u.channel) for u in found.values()] == [("word", None)]


def test_ignored_segments_are_no_text_in_any_case(wavs, write, prepare):
    """TED-LIUM writes them in lower case."""
    text = "a 1 s 0 1 <o,,unknown> ignore_time_segment_in_scoring\na 1 s 1 2 yes\n"
    found, _ = prepare("timed", write(wavs, {"x.stm": text}) / "x.stm")
    assert [(u.start, u.text) for u in found.values()] == [(1.0, "yes")]


def test_channels_count_from_one_or_from_zero(wavs, write, prepare):
    """From zero if a line of the file says so, also where a recording has its second alone."""
    for names, expected in (("12", [0, 1]), ("AB", [0, 1]), ("01", [0, 1])):
        lines = "".join(f"b {name} s {n} {n + 1} word\n" for n, name in enumerate(names))
        found, _ = prepare("timed", write(wavs, {"x.stm": lines}) / "x.stm")
        assert [u.channel for u in found.values()] == expected, names
        ctm = "".join(f"b {name} 0.5 0.5 word\n" for name in names)
        found, _ = prepare("timed", write(wavs, {"x.ctm": ctm}) / "x.ctm")
        assert {key: u.channel for key, u in found.items()} == {"b": 0, f"b-{names[1]}": 1}
    write(wavs, {"x.stm": "a 0 s 0 1 word\nb 1 s 0 1 word\n"})
    found, _ = prepare("timed", wavs / "x.stm")
    assert {u.source.stem: u.channel for u in found.values()} == {"a": None, "b": 1}
    write(wavs, {"x.stm": "b 0 s 0 1 word\nb 2 s 0 1 word\n"})
    with pytest.raises(InputError, match=r"x\.stm:2: channel 2 of .*which has 2, counted from 0"):
        prepare("timed", wavs / "x.stm")


def test_codes_of_surrogates_stay_as_they_are_written(tmp_path, wavs, write, prepare):
    text = "a 1 s 0 1 word <xd800> <x0dfff> <xd7ff> <xe000>\n"
    found, prepared = prepare("timed", write(wavs, {"x.stm": text}) / "x.stm", unit="word")
    (utterance,) = found.values()
    assert utterance.text == "word <xd800> <x0dfff> \ud7ff \ue000"
    prepared.save(tmp_path / "data")


def test_files_are_named_after_sets_all_or_none(wavs, write, prepare):
    """A transcript for testing is not mixed into training because another has no set."""
    lines = {f"{name}.stm": f"a 1 s {n} {n + 1} word\n" for n, name in enumerate("abc")}
    found, _ = prepare("timed", write(wavs, lines))
    assert len(found) == 3
    write(wavs, {"dev.stm": "a 1 s 3 4 word\n"})
    with pytest.raises(InputError, match=r"a\.stm: in no set, although dev\.stm is in dev; name"):
        prepare("timed", wavs)
    for name in "abc":
        (wavs / f"{name}.stm").unlink()
    write(wavs, {"train.stm": "a 1 s 0 1 word\n", "dev.stm": "", "valid.stm": "a 1 s 3 4 word\n"})
    _, prepared = prepare("timed", wavs)
    assert {name: len(us) for name, us in prepared.splits.items()} == {"train": 1, "dev": 1}


def test_ctm(tmp_path, wavs, write, prepare):
    write(wavs, {"x.ctm": "a 1 0.5 0.25 hello 0.9\na 1 1.0 0.5 you\n"})
    words, _ = prepare("timed", wavs / "x.ctm", unit="word")
    expected = (("hello", 0.5, 0.75), ("you", 1.0, 1.5))
    assert words["a"].segments == expected
    assert words["a"].labels == ("hello", "you")
    characters, _ = prepare("timed", wavs / "x.ctm")
    assert "".join(characters["a"].labels) == "hello you"
    assert characters["a"].words == expected


LONG = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 4
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 4
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.25
            text = "say ""a"""
        intervals [3]:
            xmin = 1.25
            xmax = 4
            text = "b 2"
    item [2]:
        class = "TextTier"
        name = "points"
        xmin = 0
        xmax = 4
        points: size = 1
        points [1]:
            number = 1.5
            mark = "x"
    item [3]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 4
        intervals: size = 1
        intervals [1]:
            xmin = 0.5
            xmax = 4
            text = "ab"
'''
SHORT = '''"ooTextFile"
"TextGrid"
0
4
<exists>
3
"IntervalTier" "phones" 0 4 3
0 0.5 "" ! nothing
0.5 1.25 "say ""a"""
1.25 4 "b 2"
"TextTier" "points" 0 4 1
1.5 "x"
"IntervalTier" "words" 0 4 1
0.5 4 "ab"
'''


@pytest.mark.parametrize("text", [LONG, SHORT])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_textgrids_long_and_short(wavs, text, encoding, write, prepare):
    write(wavs, {"a.TextGrid": text.encode(encoding)})
    with pytest.raises(InputError, match="tiers phones, words; choose one"):
        prepare("timed", wavs)
    found, _ = prepare("timed", wavs, tier="phones", intervals="utterances", unit="word")
    assert [(u.id, u.start, u.end, u.text) for u in found.values()] == [
        ("a-0001", 0.5, 1.25, 'say "a"'), ("a-0002", 1.25, 4.0, "b 2")
    ]  # fmt: skip
    found, _ = prepare("timed", wavs, tier="words", unit="word")
    assert found["a"].segments == (("ab", 0.5, 4.0),)
    found, _ = prepare("timed", wavs, tier="phones")
    assert found["a"].text == 'say "a" b 2'
    assert found["a"].words == (("ab", 0.5, 4.0),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"TextGrid"', '"PitchTier"', "not a TextGrid"),
        ("0.5 1.25", "1.25 0.5", "from 1.25 to 0.5 s, which is reversed"),
        ("1.25 4", "1 4", "overlaps the previous one"),
        ("4 3\n", "4 9\n", "where a number is expected"),
        ("0.5 4", "half 4", "a number is expected"),
        ("0.5 4", "1e999 4", "a time that is not a number"),
        ('"words"', '"phones"', "two tiers are called 'phones'"),
        (' "ab"\n', "", "cut off: a text in quotes is missing"),
    ],
)
def test_textgrid_faults_are_named(wavs, old, new, message, write, prepare):
    assert old in SHORT
    write(wavs, {"a.TextGrid": SHORT.replace(old, new)})
    with pytest.raises(InputError, match=message) as error:
        prepare("timed", wavs, tier="words")
    assert "a.TextGrid" in str(error.value)
