"""What is refused or left out before the first update."""

from types import SimpleNamespace

import numpy as np
import pytest

from seqlabel.data.dataset import Skipped
from seqlabel.errors import InputError
from seqlabel.inputs import Audio, Image, Ink
from seqlabel.training.options import AugmentationOptions
from seqlabel.training.setup import leave_out, make_distortion, name_unusable


def dataset(kind, frame_targets=None, values=None):
    return SimpleNamespace(
        utterances=SimpleNamespace(kinds=[kind]),
        front_end=SimpleNamespace(extractor=None),
        frame_targets=frame_targets,
        values=values,
    )


def experiment(**augmentation):
    return SimpleNamespace(
        augmentation=AugmentationOptions(**augmentation), model=SimpleNamespace(reduction=4)
    )


@pytest.mark.parametrize(
    ("kind", "augmentation", "message"),
    [
        ("ink", {"speeds": (0.9,)}, "speeds is for speech; use augmentation.ink"),
        ("speech", {"ink": {"rotation": 3.0}}, "ink is for ink; use augmentation.speeds"),
        ("ink", {"image": {"rotation": 3.0}}, "image is for images; leave it out"),
        ("ink", {"sound": {"level": 3.0}}, "sound is for speech; leave it out"),
    ],
)
def test_distortions_of_other_signals_are_refused(kind, augmentation, message):
    with pytest.raises(InputError, match=f"augmentation.{message}"):
        make_distortion(experiment(**augmentation), dataset(kind))


@pytest.mark.parametrize(
    "augmentation",
    [{"ink": {"rotation": 3.0}}, {"image": {"rotation": 3.0}}, {"sound": {"room": 0.5}}],
)
def test_frames_with_values_are_not_moved(augmentation):
    with pytest.raises(InputError, match="change the positions of frames"):
        make_distortion(experiment(**augmentation), dataset("ink", values=object()))


def test_stored_speeds_and_new_sound_exclude_each_other():
    with pytest.raises(InputError, match=r"set speeds = \[\] and sound\.speed"):
        AugmentationOptions(speeds=(0.9,), sound={"speed": 0.1})
    with pytest.raises(InputError, match="sound: unknown option snrs"):
        AugmentationOptions(sound={"snrs": [1.0, 2.0]})
    unchanged = AugmentationOptions(speeds=(0.9,), sound={"snr": [1.0, 2.0]})
    assert unchanged.sound_distortion() is None


def test_frames_with_labels_keep_their_times():
    options = experiment(ink={"rotation": 3.0, "speed": 0.2})
    with pytest.raises(InputError, match="set speed = 0 for framewise training"):
        make_distortion(options, dataset("ink", frame_targets=[1]))
    assert make_distortion(options, dataset("ink")).signal is not None


def test_the_signal_of_its_kind_is_distorted_and_stays_of_its_kind():
    rng = np.random.default_rng(0)
    ink = Ink([np.array([[0.0, 0.0, 0.0], [5.0, 1.0, 0.1], [9.0, 7.0, 0.2]])])
    turned = make_distortion(experiment(ink={"rotation": 20.0}), dataset("ink"))
    assert turned.subsample == 4
    points = turned.signal(ink, rng).strokes[0]
    assert not np.allclose(points[:, :2], ink.strokes[0][:, :2])
    image = Image(np.eye(12, dtype=np.float32))
    turned = make_distortion(experiment(image={"rotation": 20.0}), dataset("image"))
    assert isinstance(turned.signal(image, rng), Image)
    audio = Audio(np.ones(100, np.float32), 8000)
    louder = make_distortion(experiment(sound={"level": 20.0}), dataset("speech"))
    assert isinstance(louder.signal(audio, rng), Audio)
    assert make_distortion(experiment(), dataset("ink")).signal is None


class Corpus:
    """`size` utterances of which some cannot be trained on."""

    frame_targets = False

    def __init__(self, size, short):
        self.size, self.short = size, short

    def __len__(self):
        return self.size

    def unusable(self, output_lengths):
        assert output_lengths(np.array([9, 8])).tolist() == [4, 4]  # every second frame
        return [Skipped(n, f"u{n}", "too short") for n in self.short]

    def subset(self, keep):
        return keep.tolist()


MODEL = SimpleNamespace(encoder=SimpleNamespace(output_lengths=lambda frames: frames // 2))


def test_what_cannot_be_trained_on_is_counted_and_named(caplog):
    kept, skipped = leave_out(Corpus(9, [1, 3, 4, 5, 6, 7, 8]), MODEL, "train")
    assert kept == [0, 2]
    assert [entry.number for entry in skipped] == [1, 3, 4, 5, 6, 7, 8]
    named = ", ".join(f"u{n} (too short)" for n in (1, 3, 4, 5, 6))
    assert f"train: 7 of 9 utterances left out: {named} and 2 more" in caplog.text
    caplog.clear()
    whole = Corpus(2, [])
    assert leave_out(whole, MODEL, "train") == (whole, [])
    name_unusable(whole, MODEL, "dev")
    assert not caplog.text
    name_unusable(Corpus(2, [1]), MODEL, "dev")
    assert "dev: 1 of 2 utterances have no loss: u1 (too short); they" in caplog.text


def test_a_set_of_which_nothing_is_left_is_refused():
    with pytest.raises(
        InputError, match=r"train: no utterances left for training: u0 \(too short\)"
    ):
        leave_out(Corpus(2, [0, 1]), MODEL, "train")


@pytest.mark.parametrize("option", ["slant", "rotation", "width", "waves"])
def test_columns_with_labels_stay_where_they_are(option):
    """Brightness, noise, height and shift leave what is written in a column in it."""
    options = experiment(image={option: 0.1, "noise": 0.1})
    with pytest.raises(InputError, match="move columns, but not their labels; set them to 0"):
        make_distortion(options, dataset("image", frame_targets=True))
    assert make_distortion(options, dataset("image")).signal is not None
    still = experiment(image={"noise": 0.1, "height": 0.1, "shift": 1.0, "brightness": 0.1})
    assert make_distortion(still, dataset("image", frame_targets=True)).signal is not None
