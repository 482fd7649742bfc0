"""Synthetic speech in the layout of TIMIT, read back by the reader of TIMIT."""

import json
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest

from seqlabel.alphabet import PHONES_61
from seqlabel.cli import main
from seqlabel.corpora.manifest import read_manifest
from seqlabel.inputs import read_audio

pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")

from seqlabel.synthetic.espeak import Voice, speak
from seqlabel.synthetic.speech import SpeechCorpus, write_corpus

OPTIONS = SpeechCorpus(speakers=(2, 1, 1), sentences=2, seed=3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech") / "corpus"
    assert write_corpus(folder, OPTIONS)
    return folder


@pytest.fixture(scope="module")
def prepared(corpus, tmp_path_factory):
    data = tmp_path_factory.mktemp("prepared") / "data"
    arguments = ["prepare", "timit", str(corpus), str(data)]
    assert main([*arguments, "--config", str(corpus / "speakers.toml")]) == 0
    return {name: read_manifest(data / f"{name}.jsonl") for name in ("train", "dev", "test")}


def test_the_reader_of_timit_reads_it(prepared):
    assert [len(prepared[name]) for name in ("train", "dev", "test")] == [4, 2, 2]
    speakers = [{u.speaker for u in prepared[name]} for name in ("train", "dev", "test")]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 4
    texts = [u.text for utterances in prepared.values() for u in utterances]
    assert len(set(texts)) == len(texts)
    for utterances in prepared.values():
        for utterance in utterances:
            assert set(utterance.labels) <= set(PHONES_61)
            assert utterance.labels[0] == utterance.labels[-1] == "h#"


def test_segments_cover_the_sound_and_words_lie_on_their_phones(prepared):
    for utterance in prepared["train"]:
        audio = read_audio(utterance.source)
        assert audio.rate == 16000
        edges = [utterance.segments[0].start, *(s.end for s in utterance.segments)]
        assert edges[0] == 0
        assert edges[-1] == pytest.approx(len(audio.samples) / 16000)
        assert [s.start for s in utterance.segments[1:]] == edges[1:-1]
        assert all(before < after for before, after in pairwise(edges))
        assert {w.start for w in utterance.words} <= set(edges)
        assert {w.end for w in utterance.words} <= set(edges)
        said = " ".join(word.label for word in utterance.words)
        assert said == "".join(c for c in utterance.text.lower() if c.isalpha() or c in "' ")


def test_labels_sound_as_they_should(prepared):
    """Vowels are louder than closures, and s hisses more than vowels do."""
    level: dict[str, list[float]] = {}
    hiss: dict[str, list[float]] = {}
    for utterance in prepared["train"]:
        samples = read_audio(utterance.source).samples
        for segment in utterance.segments:
            piece = samples[int(segment.start * 16000) : int(segment.end * 16000)]
            kind = KINDS.get(segment.label)
            if kind and len(piece) > 160:
                level.setdefault(kind, []).append(float((piece**2).mean()))
                zero_crossings = float((np.diff(np.sign(piece)) != 0).mean())
                hiss.setdefault(kind, []).append(zero_crossings)
    assert np.median(level["vowel"]) > 10 * np.median(level["closure"])
    assert np.median(hiss["s"]) > 2 * np.median(hiss["vowel"])


KINDS = {
    **dict.fromkeys(["iy", "ih", "eh", "ae", "aa", "ao", "ey", "ay", "ow", "uw"], "vowel"),
    **dict.fromkeys(["pcl", "tcl", "kcl"], "closure"),
    "s": "s",
}


def test_the_same_options_give_the_same_bytes_and_others_are_refused(corpus, tmp_path, capsys):
    again = tmp_path / "again"
    assert write_corpus(again, OPTIONS)
    files = sorted(path.relative_to(corpus) for path in corpus.rglob("*") if path.is_file())
    assert len(files) == 4 * 8 + 2
    for name in files:
        assert (again / name).read_bytes() == (corpus / name).read_bytes(), name
    assert not write_corpus(corpus, OPTIONS)
    assert main(["synth", "speech", str(corpus), "--speakers", "3"]) == 2
    assert "already has another corpus" in capsys.readouterr().err
    assert json.loads((corpus / "synth.json").read_text())["seed"] == 3


def test_a_missing_wheel_is_named(tmp_path):
    """Without espeakng-loader, one line says what to install, and nothing is left behind."""
    program = (
        "import sys; sys.modules['espeakng_loader'] = None\n"
        "from seqlabel.cli import main\n"
        f"sys.exit(main(['synth', 'speech', {str(tmp_path / 'c')!r}]))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 2
    assert "pip install 'seqlabel[synth]'" in run.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_the_noise_of_a_voice_does_not_depend_on_the_time_of_day():
    breathy = Voice("en-us+f2", 160, 50, 50)
    first = speak(breathy, ["ten dogs"])
    time.sleep(1.1 - time.time() % 1)  # into the next second
    assert np.array_equal(first[0].samples, speak(breathy, ["ten dogs"])[0].samples)
