"""Lists of other tools become manifests: Kaldi, lhotse, NeMo; and back."""

import gzip
import json

import numpy as np
import pytest
import soundfile

from seqlabel.cli import main
from seqlabel.corpora.exchange import WRITERS, export
from seqlabel.corpora.manifest import Segment, Utterance, read_manifest
from seqlabel.data.signals import read_signal
from seqlabel.errors import InputError
from seqlabel.features.fbank import Fbank

RATE = 8000


def kaldi(wavs):
    return {
        "wav.scp": f"a audio/a.wav\nb {wavs}/b.wav\n",
        "segments": "s1-1 a 0.5 1.75\ns1-2 a 2 -1\ns2-1 b 1 3.2 1\n",
        "text": "s1-1 hello  you\ns1-2 yes\ns2-1 no\n",
        "utt2spk": "s1-1 s1\ns1-2 s1\ns2-1 s2\n",
        "spk2gender": "s1 f\ns2 m\n",
    }


def test_kaldi(tmp_path, wavs, write, prepare):
    """Relative paths are those of the folder that Kaldi runs in, above the data folder."""
    found, prepared = prepare("kaldi", write(tmp_path / "data" / "train", kaldi(wavs)))
    first, second, third = found["s1-1"], found["s1-2"], found["s2-1"]
    assert (first.source, first.start, first.end) == (wavs / "a.wav", 0.5, 1.75)
    assert (first.text, first.labels[:3], first.speaker) == ("hello you", ("h", "e", "l"), "s1")
    assert first.duration == 1.25
    assert first.tags == {"sex": "f"}
    assert (second.start, second.end, second.duration) == (2.0, 0.0, 2.0)
    assert (third.channel, third.start, third.end) == (1, 1.0, 3.0)
    assert "1 segments end up to 0.5 s after" in prepared.notes[0]
    assert prepared.rate == RATE
    samples = soundfile.read(wavs / "b.wav")[0]
    signal = read_signal(third, Fbank(rate=RATE))
    np.testing.assert_allclose(signal.samples, samples[RATE:, 1], atol=1e-7)


def test_kaldi_folders_are_sets(tmp_path, wavs, write, prepare):
    for name in ("train_clean", "dev", "test"):
        files = {"wav.scp": f"{name}1 {wavs}/a.wav\n", "text": f"{name}1 some words\n"}
        write(tmp_path / "data" / name, files)
    write(tmp_path / "data" / "eval2000", {"wav.scp": "", "text": ""})
    _, prepared = prepare("kaldi", tmp_path / "data", unit="word")
    assert prepared.notes[-1] == "not read, because no set is in the name: eval2000"
    assert {name: [u.id for u in us] for name, us in prepared.splits.items()} == {
        "train": ["train_clean1"], "dev": ["dev1"], "test": ["test1"]
    }  # fmt: skip
    assert prepared.splits["dev"][0].labels == ("some", "words")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("wav.scp", "a sph2pipe -f wav a.sph |\nb b.wav\n", "wav.scp:1: a command, which is not"),
        ("wav.scp", "a raw.ark:12\nb b.wav\n", "an archive with an offset"),
        ("wav.scp", "a\n", "no file after the name of the recording"),
        ("wav.scp", "a x\na y\n", "wav.scp:2: a occurs twice"),
        ("wav.scp", "a nowhere.wav\nb b.wav\n", "nowhere.wav: no such audio file"),
        ("segments", "\ns1-1 a 2 1\n", "segments:2: a segment from 2 to 1 s; it must begin at 0"),
        ("segments", "\ns1-1 a 3 4.6\n", "segments:2: .*ends at 4.6 s, but the recording at 4 s"),
        ("segments", "\ns1-1 a 4.5 5\n", "segments:2: .*: the segment begins at 4.5 s"),
        ("segments", "\ns1-1 a one 2\n", "segments:2: expected: utterance recording start end"),
        ("segments", "\ns1-1 b 0 1 -1\n", "segments:2: channel is -1; a whole number"),
        ("segments", "\ns1-1 b 0 1 7\n", "segments:2: channel 7 of .*which has 2, counted from"),
        ("segments", "\ns1-1 b 0 1\n", "segments:2: .* has 2 channels; add channel, from 0"),
        ("segments", "\nother a 0 1\n", "text:1: s1-1 is not in segments"),
        ("segments", "\ns1-1 c 0 1\n", "segments:2: c is not in wav.scp"),
    ],
)
def test_kaldi_faults_are_named(tmp_path, wavs, file, content, message, write, prepare):
    folder = write(tmp_path / "data", {**kaldi(wavs), file: content})
    with pytest.raises(InputError, match=message):
        prepare("kaldi", folder)


def test_utterances_of_kaldi_that_do_not_fit_are_left_out_where_that_is_wanted(
    tmp_path, wavs, write, prepare
):
    files = kaldi(wavs)
    folder = write(tmp_path / "data", {**files, "text": files["text"] + "unknown nothing\n"})
    with pytest.raises(InputError, match=r"unknown is not in (segments|wav\.scp).*skip_bad=true"):
        prepare("kaldi", folder)
    found, prepared = prepare("kaldi", folder, skip_bad=True)
    assert (len(found), len(prepared.skipped)) == (files["text"].strip().count("\n") + 1, 1)


def cut(wavs, **changes):
    recording = {
        "id": "b",
        "sources": [{"type": "file", "channels": [0, 1], "source": f"{wavs}/b.wav"}],
        "sampling_rate": RATE,
        "num_samples": 3 * RATE,
        "duration": 3.0,
    }
    words = [["no", 0.25, 0.5, None], ["good", 0.75, 0.25, 0.9]]
    supervision = {
        "id": "b-1", "recording_id": "b", "start": 0.0, "duration": 1.5, "channel": 1,
        "text": "no good", "speaker": "s2", "gender": "m", "language": "en",
        "alignment": {"word": words},
    }  # fmt: skip
    value = {"id": "cut", "start": 0.5, "duration": 1.5, "channel": 1, "type": "MonoCut",
             "supervisions": [supervision], "recording": recording}  # fmt: skip
    return {**value, **changes}


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress])
def test_lhotse_cuts(tmp_path, wavs, pack, prepare):
    two = cut(wavs, id="two", channel=0)
    two["supervisions"] = [
        {"id": f"two-{n}", "start": n / 2, "duration": 0.5, "text": text}
        for n, text in enumerate(("yes", "no"))
    ]
    path = tmp_path / "cuts.jsonl.gz"
    path.write_bytes(pack("".join(json.dumps(one) + "\n" for one in (cut(wavs), two)).encode()))
    found, _ = prepare("lhotse", path)
    one = found["cut"]
    assert (one.source, one.start, one.end, one.channel) == (wavs / "b.wav", 0.5, 2.0, 1)
    assert (one.text, one.speaker) == ("no good", "s2")
    assert one.tags == {"sex": "m", "language": "en"}
    assert [tuple(word) for word in one.words] == [("no", 0.25, 0.75), ("good", 0.75, 1.0)]
    places = {key: (u.start, u.end, u.text) for key, u in found.items() if key != "cut"}
    assert places == {"two-0": (0.5, 1.0, "yes"), "two-1": (1.0, 1.5, "no")}


ALIGNED = {"word": [["yes", 0.75, 0.25, None]]}


def test_lhotse_alignments_count_from_the_cut_and_in_supervisions_from_the_recording(
    tmp_path, wavs, write, prepare
):
    """As `supervision.start` does (lhotse 1.33: `SupervisionSegment.with_offset` shifts both)."""
    several = cut(wavs, start=1.0)
    several["supervisions"] = [
        {"id": f"s{n}", "start": n / 2, "duration": 0.5, "text": "yes", "alignment": ALIGNED}
        for n in (0, 1)
    ]
    found, _ = prepare("lhotse", write(tmp_path, {"cuts.jsonl": [several]}) / "cuts.jsonl")
    assert {key: (u.start, u.words) for key, u in found.items()} == {
        "s0": (1.0, (("yes", 0.75, 1.0),)), "s1": (1.5, (("yes", 0.25, 0.5),))
    }  # fmt: skip
    alone = {**several["supervisions"][1], "recording_id": "b", "channel": 0}
    files = {"recordings.jsonl": [several["recording"]], "supervisions.jsonl": [alone]}
    found, _ = prepare("lhotse", write(tmp_path / "pair", files))
    assert (found["s1"].start, found["s1"].words) == (0.5, (("yes", 0.25, 0.5),))


def test_words_of_lhotse_cuts_come_back(tmp_path, wavs, prepare):
    late = Utterance(
        "late", wavs / "a.wav", "speech", ("x",), "x", start=2.0, end=3.0, duration=1.0,
        words=(Segment("x", 0.5, 0.75),),
    )  # fmt: skip
    export(tmp_path / "cuts.jsonl", [late], "lhotse")
    (written,) = (json.loads(line) for line in (tmp_path / "cuts.jsonl").read_text().splitlines())
    assert written["supervisions"][0]["alignment"] == {"word": [["x", 0.5, 0.25, None]]}
    found, _ = prepare("lhotse", tmp_path / "cuts.jsonl")
    assert (found["late"].start, found["late"].words) == (2.0, late.words)


def test_supervisions_of_a_cut_of_several_channels_name_their_own(tmp_path, wavs, write, prepare):
    both = cut(wavs, channel=[0, 1], type="MultiCut")
    both["supervisions"] = [
        {"id": f"s{channel}", "start": 0.0, "duration": 1.0, "text": "yes", "channel": channel}
        for channel in (0, 1)
    ]
    found, _ = prepare("lhotse", write(tmp_path, {"cuts.jsonl": [both]}) / "cuts.jsonl")
    assert {key: u.channel for key, u in found.items()} == {"s0": 0, "s1": 1}


def test_lhotse_recordings_and_supervisions(tmp_path, wavs, write, prepare):
    whole = cut(wavs)
    for name in ("train", "dev"):
        supervision = {**whole["supervisions"][0], "id": name, "start": 1.0, "alignment": None}
        files = {
            f"x_recordings_{name}.jsonl": [whole["recording"]],
            f"x_supervisions_{name}.jsonl": [supervision],
        }
        write(tmp_path / "lists", files)
    found, prepared = prepare("lhotse", tmp_path / "lists")
    assert list(prepared.splits) == ["train", "dev"]
    assert (found["dev"].start, found["dev"].end, found["dev"].channel) == (1.0, 2.5, 1)


def changed(change):
    def make(wavs):
        value = cut(wavs)
        change(value)
        return value

    return make


LHOTSE_FAULTS = {
    "mixed": (changed(lambda c: c.update(type="MixedCut", tracks=[])), "a mixed cut; save it"),
    "padding": (changed(lambda c: c.update(type="PaddingCut")), "'PaddingCut' is not a cut"),
    "no text": (changed(lambda c: c.update(supervisions=[])), "without supervisions"),
    "command": (
        changed(lambda c: c["recording"]["sources"][0].update(type="command")),
        "a recording of type 'command'",
    ),
    "transforms": (
        changed(lambda c: c["recording"].update(transforms=[{"name": "Speed"}])),
        "a recording with transforms",
    ),
    "channel": (changed(lambda c: c.update(channel=2)), "channel 2 of .* are 0, 1;"),
    "of mono": (
        changed(lambda c: c["recording"]["sources"][0].update(channels=[0])),
        "channel 1 of .* are 0;",
    ),
    "channels": (
        changed(lambda c: (c.update(channel=[0, 1]), c["supervisions"][0].pop("channel"))),
        r"channels \[0, 1\]; choose one",
    ),
    "time": (changed(lambda c: c.update(start="0")), "start is '0'; seconds"),
    "outside": (changed(lambda c: c.update(start=2.9)), "ends at 4.4 s, but the recording at 3 s"),
    "no recording": (changed(lambda c: c.pop("recording")), "a cut without recording; add it"),
    "supervision": (
        changed(lambda c: c.update(supervisions=[7])),
        "a supervision that is not an obj",
    ),
    "several files": (
        changed(lambda c: c["recording"]["sources"].append({})),
        "a recording with several files or none; make one file of it",
    ),
    "words": (
        changed(lambda c: c["supervisions"][0].update(alignment={"word": [["no", "0.7", 1]]})),
        r"alignment.word is not a list of \[symbol, start, duration\]",
    ),
    "words without end": (
        changed(lambda c: c["supervisions"][0].update(alignment={"word": [["no", 10**400, 1]]})),
        r"alignment.word is not a list of \[symbol, start, duration\]",
    ),
    "number": (
        changed(lambda c: c["supervisions"][0].update(text=5)),
        "text is '5'; a string is expected",
    ),
    "true": (changed(lambda c: c.update(duration=True)), "duration is 'True'; seconds"),
}


@pytest.mark.parametrize("name", LHOTSE_FAULTS)
def test_lhotse_faults_are_named(tmp_path, wavs, name, write, prepare):
    make, message = LHOTSE_FAULTS[name]
    write(tmp_path, {"cuts.jsonl": [make(wavs)]})
    with pytest.raises(InputError, match=rf"cuts\.jsonl:1: .*{message}"):
        prepare("lhotse", tmp_path / "cuts.jsonl")
    write(tmp_path, {"cuts.jsonl": [make(wavs), cut(wavs, id="sound")]})
    found, prepared = prepare("lhotse", tmp_path / "cuts.jsonl", skip_bad=True)
    assert (list(found), len(prepared.skipped)) == (["sound"], 1)


def test_lhotse_folders_without_lists_or_with_ones_that_do_not_fit(tmp_path, wavs, write, prepare):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no file named cuts or recordings"):
        prepare("lhotse", tmp_path / "empty")
    whole = cut(wavs)
    supervision = {**whole["supervisions"][0], "recording_id": "z"}
    files = {"recordings_dev.jsonl": [whole["recording"]], "supervisions_dev.jsonl": [supervision]}
    message = r"supervisions_dev\.jsonl:1: z is not in recordings_dev\.jsonl; lhotse\.qa\.fix"
    with pytest.raises(InputError, match=message):
        prepare("lhotse", write(tmp_path / "pair", files))
    files["recordings_dev.jsonl"] = [{**whole["recording"], "id": ["z"]}]
    with pytest.raises(InputError, match=r"recordings_dev\.jsonl:1: id is .* a string is expected"):
        prepare("lhotse", write(tmp_path / "pair", files))


def test_lhotse_folders_of_cuts_know_their_sets(tmp_path, wavs, write, prepare):
    files = {f"cuts_{name}.jsonl": [cut(wavs, id=name)] for name in ("train", "test")}
    found, prepared = prepare("lhotse", write(tmp_path / "lists", files))
    assert list(prepared.splits) == ["train", "test"]
    assert found["test"].text == "no good"


def test_a_cut_off_gzip_is_named(tmp_path, wavs, prepare):
    path = tmp_path / "cuts.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(cut(wavs)).encode())[:-20])
    with pytest.raises(InputError, match="cut-off gzip file"):
        prepare("lhotse", path)


def test_nemo(tmp_path, wavs, write, prepare):
    rows = [
        {"audio_filepath": "audio/a.wav", "duration": 4.0, "text": "all", "lang": "en"},
        {"audio_filepath": f"{wavs}/a.wav", "offset": 1, "duration": 0.5, "text": "a bit",
         "speaker": 7},
    ]  # fmt: skip
    found, _ = prepare("nemo", write(tmp_path, {"list.json": rows}) / "list.json")
    write(tmp_path, {"more.json": [*rows, {"text": "a"}, {**rows[1], "shard_id": 3}]})
    found, prepared = prepare("nemo", tmp_path / "more.json", skip_bad=True)
    assert (len(found), len(prepared.skipped)) == (2, 2)
    (whole,) = [u for u in found.values() if not u.start]
    (part,) = [u for u in found.values() if u.start]
    assert (whole.end, whole.duration, whole.text) == (0.0, 4.0, "all")
    assert (part.start, part.end, part.speaker) == (1.0, 1.5, "7")
    write(tmp_path, {"list.json": [{**rows[1], "offset": 4}]})
    with pytest.raises(InputError, match=r"list\.json:1: .*the segment begins at 4 s"):
        prepare("nemo", tmp_path / "list.json")
    write(tmp_path, {"list.json": [{"text": "a"}]})
    with pytest.raises(InputError, match="audio_filepath is missing"):
        prepare("nemo", tmp_path / "list.json")
    write(tmp_path, {"list.json": [{**rows[0], "shard_id": 3}]})
    with pytest.raises(InputError, match=r"list\.json:1: a recording in a tarred data set; use"):
        prepare("nemo", tmp_path / "list.json")
    for wrong in ("1", None, True, 1e10):
        write(tmp_path, {"list.json": [{**rows[1], "duration": wrong}]})
        with pytest.raises(
            InputError, match=rf"list\.json:1: duration is '{str(wrong)[:5]}.*; sec"
        ):
            prepare("nemo", tmp_path / "list.json")


def test_nemo_folders_know_their_sets(tmp_path, wavs, write, prepare):
    row = {"audio_filepath": f"{wavs}/a.wav", "duration": 4.0, "text": "all"}
    files = {
        "train_manifest.json": [row],
        "validation_manifest.json": [{**row, "offset": 1.0, "duration": 0.5}],
        "vocabulary.json": [{"audio_filepath": 3}],
    }
    found, prepared = prepare("nemo", write(tmp_path / "lists", files))
    assert list(prepared.splits) == ["train", "dev"]
    assert len(found) == 2
    assert prepared.notes == ("not read, because no set is in the name: vocabulary.json",)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \.json file with train, dev or test in its name"):
        prepare("nemo", tmp_path / "empty")


SPOKEN = [
    {"id": "s1-a", "start": 0.5, "end": 1.25, "text": "hello you", "speaker": "s1"},
    {"id": "s1-b", "start": 1.5, "end": 3.0, "text": "yes", "speaker": "s1"},
    {"id": "s2-c", "text": "all of it", "speaker": "s2"},
]


@pytest.mark.parametrize(("kind", "name"), [
    ("kaldi", "out"), ("lhotse", "out.jsonl.gz"), ("lhotse", "out.jsonl"), ("nemo", "out.json"),
    ("stm", "out.stm"),
])  # fmt: skip
def test_what_is_written_comes_back(tmp_path, wavs, kind, name, capsys, write, prepare):
    rows = [{"source": "audio/a.wav", "set": "train", **row} for row in SPOKEN]
    write(tmp_path, {"mine.jsonl": rows})
    data, out = tmp_path / "data", tmp_path / name
    assert main(["prepare", "manifest", str(tmp_path / "mine.jsonl"), str(data)]) == 0
    assert main(["manifest", str(data / "train.jsonl"), str(out), "--to", kind]) == 0
    assert "3 utterances, 0.10 min" in capsys.readouterr().out
    options = {"audio": str(wavs)} if kind == "stm" else {}
    found, _ = prepare("timed" if kind == "stm" else kind, out, **options)

    def facts(utterances):
        return sorted(
            (u.source.resolve(), u.start, u.end or 4.0, u.labels, u.text, u.speaker, u.duration)
            for u in utterances
        )

    before = read_manifest(data / "train.jsonl")
    assert facts(found.values()) == facts(before)
    if kind in ("kaldi", "lhotse"):
        assert sorted(found) == sorted(u.id for u in before)


def test_stm_keeps_words_that_sclite_would_read_as_something_else(tmp_path, wavs, prepare):
    texts = ("<noise> hello {a} you", "<x2a> (laughs)", ";; @", "plain")
    spoken = [
        Utterance(
            text,
            wavs / "a.wav",
            "speech",
            (),
            text,
            "s 1",
            start=n,
            end=n + 0.5,
            tags={"subset": tag},
        )
        for n, (text, tag) in enumerate(zip(texts, ("", "", "f0 <m>", ""), strict=True))
    ]
    export(tmp_path / "out.stm", spoken, "stm")
    assert (tmp_path / "out.stm").read_text().splitlines() == [
        "a 1 s_1 0.000 0.500 <> <noise> hello <x7b>a<x7d> you",
        "a 1 s_1 1.000 1.500 <> <x3c>x2a> <x28>laughs<x29>",
        "a 1 s_1 2.000 2.500 <f0__m_> <x3b><x3b> <x40>",
        "a 1 s_1 3.000 3.500 plain",
    ]
    found, _ = prepare("timed", tmp_path / "out.stm", audio=str(wavs))
    tags = [{}, {}, {"subset": "f0__m_"}, {}]
    assert [(u.text, u.tags) for u in found.values()] == list(zip(texts, tags, strict=True))


def test_what_a_format_cannot_hold_is_refused(tmp_path, wavs):
    speech = Utterance("a b", wavs / "b.wav", "speech", ("x",), "x", channel=1)
    with pytest.raises(InputError, match="ids in Kaldi lists have no white space"):
        export(tmp_path / "k", [speech], "kaldi")
    with pytest.raises(InputError, match="channel 1, which a NeMo manifest cannot express"):
        export(tmp_path / "n", [speech], "nemo")
    ink = Utterance("a", wavs / "b.inkml", "ink", ("x",))
    for kind in WRITERS:
        with pytest.raises(InputError, match="this is ink"):
            export(tmp_path / "i", [ink], kind)
        with pytest.raises(InputError, match="no utterances"):
            export(tmp_path / "i", [], kind)
    assert [path.name for path in tmp_path.iterdir()] == ["audio"]
