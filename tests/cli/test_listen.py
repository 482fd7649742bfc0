"""seqlabel listen: pipes, files and microphones; what goes wrong with them is one line."""

import io
import json
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.cli import main
from seqlabel.cli.listen import _interruptible
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.features.normalisation import Statistics
from seqlabel.inputs import Audio
from seqlabel.inputs.microphone import record
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import WEIGHTS, make_model, save_weights, write_description

CONFIG = """
[features]
kind = "fbank"
filters = 8
[model]
hidden = 8
layers = 1
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Model directories: `forwards` streams, `both` reads whole files."""
    folder = tmp_path_factory.mktemp("models")
    alphabet = Alphabet("ab ", "character")
    for name, bidirectional in (("forwards", "false"), ("both", "true")):
        (folder / "c.toml").write_text(CONFIG + f"bidirectional = {bidirectional}\n")
        experiment = Experiment.load(folder / "c.toml")
        extractor = make_extractor(experiment.features)
        statistics = Statistics.fit([extractor(Audio(sound(), 16000)).x])
        front_end = FrontEnd(extractor, experiment.front_end, statistics)
        torch.manual_seed(3)
        model = make_model(experiment, front_end, alphabet)
        with torch.no_grad():
            for weight in model.parameters():
                weight.normal_(0, 0.7)
        write_description(folder / name, experiment, alphabet, front_end, {})
        save_weights(folder / name / WEIGHTS, model.state_dict())
    return folder


def sound(seconds=1.5):
    rng = np.random.default_rng(1)
    loud = np.repeat(10 ** rng.uniform(-4, -0.5, int(seconds * 20)), 800)
    return (32767 * np.clip(loud * rng.normal(size=len(loud)), -1, 1)).astype(np.int16)


@pytest.fixture
def listen(models, monkeypatch, capsys):
    """Runs the verb on bytes of a pipe, which come `step` at a time; exit code, lines, errors."""

    def run(*arguments, data=b"", step=999, model="forwards", tty=False):
        stream = io.BytesIO(data)
        stream.read1 = lambda size: io.BytesIO.read(stream, step)
        stdin = SimpleNamespace(buffer=stream, isatty=lambda: tty)
        monkeypatch.setattr(sys, "stdin", stdin)
        code = main(["listen", str(models / model), *arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_a_pipe_a_file_and_read_say_the_same(listen, models, tmp_path):
    samples = sound()
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    expected = seqlabel.load(models / "forwards").read(tmp_path / "a.wav")
    assert len(expected.labels) > 3
    line = expected.text + "\n"
    floats = (samples / np.float32(32768)).astype("<f4").tobytes()
    for step in (1, 7, 5000):
        assert listen("--silence", "0", data=samples.tobytes(), step=step) == (0, line, "")
    assert listen("--silence", "0", "--format", "f32le", data=floats) == (0, line, "")
    assert listen("--silence", "0", "--file", str(tmp_path / "a.wav")) == (0, line, "")
    assert listen("--silence", "0", "--beam", "8", data=samples.tobytes())[0] == 0


def test_a_paced_file_waits_for_its_samples(listen, monkeypatch, tmp_path):
    soundfile.write(tmp_path / "a.wav", sound(), 16000)
    now = 5.0

    def sleep(seconds):
        nonlocal now
        now += seconds

    clock = SimpleNamespace(monotonic=lambda: now, sleep=sleep)
    monkeypatch.setattr("seqlabel.cli.listen.time", clock)
    assert listen("--file", str(tmp_path / "a.wav"))[0] == 0
    assert now == 5.0
    assert listen("--file", str(tmp_path / "a.wav"), "--paced")[0] == 0
    assert now == pytest.approx(6.5)


def test_json_lines_follow_what_is_read(listen, models):
    samples = sound()
    code, out, _ = listen("--json", "--silence", "0.2", data=samples.tobytes())
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    finals = [line for line in lines if "partial" not in line]
    assert len(finals) > 1
    for line in lines:
        if "partial" in line:
            assert 0 <= line["stable"] <= len(line["partial"])
            assert 0 < line["seconds"] <= 1.5
    starts = [final["spans"][0][1] for final in finals]
    assert starts == sorted(starts)
    before = next(line for line in reversed(lines[: lines.index(finals[0])]) if "partial" in line)
    assert finals[0]["text"].startswith(before["partial"])


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_partial_lines_in_place(listen, monkeypatch):
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("COLUMNS", "7")
    assert listen("--silence", "0", data=sound().tobytes())[0] == 0
    lines = shown.getvalue().split("\r\x1b[K")
    assert len(lines) > 5
    assert all(len(line) <= 6 for line in lines[:-1])
    assert any(line.startswith("…") for line in lines)
    assert lines[-1].endswith("\n")
    assert lines[-1].count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "data", "message"),
    [
        (["--rate", "8000"], b"", "--rate 8000: the model reads 16000"),
        (["--paced"], b"", "--paced needs --file"),
        (["--silence", "-1"], b"", "--silence -1.0"),
        (["--silence", "nan"], b"", "--silence nan"),
        (["--file", "a.wav", "--format", "s16le"], b"", "--format is for raw samples"),
        (["--file", "absent.wav"], b"", "absent.wav: no such audio file"),
        ([], b"", "standard input: no samples;"),
        ([], bytes(64000), "all 32000 samples are 0; is the microphone muted"),
        ([], b"RIFF....WAVEfmt ", "begins with RIFF"),
        ([], sound().tobytes()[:-1], "ends 1 bytes into a sample of 2"),
        (["--format", "f32le"], b"\0" * 4003, "ends 3 bytes into a sample of 4"),
        (["--format", "f32le"], np.array([0, np.nan], "<f4").tobytes(), "sample 1 is nan"),
        (["--format", "f32le"], np.full(9, 1e9, "<f4").tobytes(), "is it --format s16le"),
        ([], sound().tobytes()[:100], "shorter than a window"),
        (["--lm-weight", "1"], b"", "needs a beam search"),
    ],
)
def test_bad_input_is_one_line(listen, arguments, data, message):
    code, _, error = listen(*arguments, data=data)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
    assert error.startswith("seqlabel listen: ")


def test_what_was_said_before_a_fault_is_kept(listen):
    whole = sound().tobytes()
    code, out, error = listen("--silence", "0", data=whole + b"x")
    assert (code, out) == (2, listen("--silence", "0", data=whole)[1])
    assert "into a sample" in error


def test_a_model_that_reads_whole_files_says_so(listen):
    code, _, error = listen(data=sound().tobytes(), model="both")
    assert code == 2
    assert "model.chunk and model.lookahead" in error


class FakeSound:
    """PortAudio with one microphone, which gives one block."""

    class PortAudioError(Exception):
        pass

    def __init__(self, block, overflow=False):
        self.block, self.overflow, self.closed = block, overflow, False

    def InputStream(self, samplerate, channels, dtype, device, callback):
        if device == "absent":
            raise ValueError("No input device matching 'absent'")
        if device == 7:
            raise self.PortAudioError("Error querying device 7", -9996)
        if device == 8:
            raise self.PortAudioError("Error opening InputStream: Invalid sample rate", -9997)
        self.asked = samplerate, channels, dtype

        def start():
            if device == 9:
                raise self.PortAudioError("Error starting stream:\nUnanticipated host error", -9999)
            status = SimpleNamespace(input_overflow=self.overflow)
            callback(self.block[:, None], len(self.block), None, status)

        def close():
            self.closed = True

        return SimpleNamespace(start=start, close=close)


def test_a_microphone_is_recorded_until_ctrl_c(listen, monkeypatch):
    samples = (sound() / 32768).astype(np.float32)
    fake = FakeSound(samples)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    real = record

    def interrupted(rate, device):
        blocks = real(rate, device)
        yield next(blocks)
        blocks.close()
        raise KeyboardInterrupt

    monkeypatch.setattr("seqlabel.inputs.microphone.record", interrupted)
    code, out, error = listen("--silence", "0", tty=True)
    expected = listen("--silence", "0", data=sound().tobytes())[1]
    assert (code, out, error) == (130, expected, "seqlabel listen: stopped\n")
    assert fake.asked == (16000, 1, "float32")
    assert fake.closed


def test_lost_samples_are_said(monkeypatch, caplog):
    fake = FakeSound(np.zeros(9, np.float32), overflow=True)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    blocks = record(16000)
    assert len(next(blocks)) == 9
    assert "samples were lost" in caplog.text
    blocks.close()
    assert fake.closed


@pytest.mark.parametrize(
    ("name", "message"),
    [("absent", "microphone 'absent': No input device"), ("7", "Error querying device 7")],
)
def test_an_absent_microphone_is_named(listen, monkeypatch, name, message):
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSound(np.zeros(9, np.float32)))
    code, _, error = listen("--microphone", name)
    assert code == 2
    assert message in error
    assert "python -m sounddevice" in error


@pytest.mark.parametrize(
    ("name", "cause"), [("8", "Invalid sample rate"), ("9", "Unanticipated host error")]
)
def test_a_microphone_that_cannot_be_opened_is_not_absent(listen, monkeypatch, name, cause):
    fake = FakeSound(np.zeros(9, np.float32))
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    code, _, error = listen("--microphone", name)
    assert (code, error.count("\n")) == (2, 1)
    assert f"the microphone '{name}' cannot be opened at 16000 samples per second: " in error
    assert cause in error
    assert "pipe samples in" in error
    assert fake.closed == (name == "9")


def test_a_missing_extra_and_a_missing_library_are_named(listen, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    code, _, error = listen(tty=True)
    assert (code, error.count("\n")) == (2, 1)
    assert "pip install seqlabel[listen]" in error
    monkeypatch.delitem(sys.modules, "sounddevice")

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    code, _, error = listen("--microphone")
    assert code == 2
    assert "apt install libportaudio2" in error


def start(models, *arguments):
    command = [sys.executable, "-m", "seqlabel.cli", "listen", str(models / "forwards"), *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_ctrl_c_gives_what_was_read(models):
    process = start(models, "--json", "--silence", "0")
    process.stdin.write(sound().tobytes())
    process.stdin.flush()
    first = process.stdout.readline()  # so it reads by now
    process.send_signal(signal.SIGINT)
    try:
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert error == b"seqlabel listen: stopped\n"
    assert "partial" in json.loads(first)
    assert "spans" in json.loads(out.splitlines()[-1])


def test_ctrl_c_waits_for_the_block_in_hand():
    blocks = _interruptible(iter([1, 2, 3]))
    assert next(blocks) == 1
    signal.raise_signal(signal.SIGINT)  # while block 1 is being read
    with pytest.raises(KeyboardInterrupt):
        next(blocks)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_closed_output_ends_it_quietly(models):
    process = start(models, "--json", "--silence", "0.1")
    process.stdout.close()
    _, error = process.communicate(sound(5).tobytes(), timeout=60)
    assert (process.returncode, error) == (0, b"")
