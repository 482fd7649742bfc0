"""Columns of pixels: ink and paper, sizes, times, distortion."""

import numpy as np
import pytest

from seqlabel.config import build
from seqlabel.errors import InputError
from seqlabel.features.frames import heights_of
from seqlabel.features.front_end import extractor_table, make_extractor
from seqlabel.features.image import ImageAugmentation, ImageColumns, distort_image
from seqlabel.features.image.resize import resize
from seqlabel.inputs import Image


def page(height=20, width=50, paper=0.9, ink=0.2):
    """A bar of ink from row 5 to 14 and column 10 to 19."""
    pixels = np.full((height, width), paper, np.float32)
    pixels[5:15, 10:20] = ink
    return Image(pixels)


def test_ink_is_one_and_paper_is_zero_whatever_the_colours():
    dark = ImageColumns(height=20)(page())
    assert dark.x.shape == (50, 20)
    assert dark.height is None
    expected = np.zeros((50, 20))
    expected[10:20, 5:15] = 1
    np.testing.assert_allclose(dark.x, expected, atol=1e-6)
    light = ImageColumns(height=20)(page(paper=0.1, ink=0.7))
    np.testing.assert_allclose(light.x, expected, atol=1e-6)


def test_polarity_and_contrast_may_be_given():
    plain = ImageColumns(height=20, contrast=False, ink="dark")(page())
    assert plain.x[0, 0] == pytest.approx(0.1)
    assert plain.x[12, 8] == pytest.approx(0.8)
    other = ImageColumns(height=20, ink="light")(page())
    assert not other.x.any()  # nothing is lighter than the paper


def test_an_image_of_one_colour_holds_no_ink():
    for value in (0.0, 0.5, 1.0):
        assert not ImageColumns(height=4)(Image(np.full((6, 9), value))).x.any()


def test_scaling_keeps_the_aspect_and_times_count_columns_of_the_file():
    frames = ImageColumns(height=10)(page())
    assert frames.x.shape == (25, 10)
    assert frames.period == 2
    assert frames.times.tolist() == list(range(0, 50, 2))
    assert frames.x[7, 5] == pytest.approx(1)
    larger = ImageColumns(height=40)(page())
    assert larger.x.shape == (100, 40)
    assert larger.period == 0.5


def test_smaller_images_keep_their_height_where_that_is_asked_for():
    frames = ImageColumns(height=32, scale="larger")(page())
    assert (frames.x.shape, frames.height) == ((50, 32), 20)
    assert not frames.x[:, 20:].any()
    scaled = ImageColumns(height=10, scale="larger")(page())
    assert (scaled.x.shape, scaled.height) == ((25, 10), 10)
    assert heights_of([frames, ImageColumns(height=32)(page())]) == [20, 32]
    assert heights_of([ImageColumns(height=32)(page())]) is None
    with pytest.raises(InputError, match=r"20 rows, but features.height = 10"):
        ImageColumns(height=10, scale="never")(page())


def test_rows_without_ink_are_cut_off():
    frames = ImageColumns(height=10, crop=True)(page())
    assert frames.x.shape == (50, 10)
    assert (frames.x[10:20] == 1).all()
    assert ImageColumns(height=10, crop=True)(Image(np.ones((20, 5)))).x.shape[1] == 10


def test_one_pixel_and_one_row():
    assert ImageColumns(height=8)(Image(np.zeros((1, 1)))).x.shape == (8, 8)
    assert ImageColumns(height=8, scale="larger")(Image(np.zeros((1, 30)))).height == 1


def test_an_endless_line_is_refused():
    with pytest.raises(InputError, match="becomes 120000 columns at height 4; cut it into lines"):
        ImageColumns(height=4)(Image(np.zeros((1, 30_000))))


def test_resizing_keeps_the_mean_and_does_not_alias():
    stripes = np.tile([0.0, 1.0], 32)[None].repeat(16, axis=0)
    np.testing.assert_allclose(resize(stripes, 4, 16)[:, 1:-1], 0.5, atol=0.02)
    smooth = np.linspace(0, 1, 30)[None].repeat(5, axis=0)
    back = resize(resize(smooth, 10, 90), 5, 30)
    np.testing.assert_allclose(back[:, 2:-2], smooth[:, 2:-2], atol=0.01)
    assert resize(stripes, 16, 64) is not None
    np.testing.assert_array_equal(resize(stripes, 16, 64), stripes)


def test_the_extractor_has_a_name_in_configurations():
    extractor = make_extractor({"kind": "image", "height": 24, "crop": True})
    assert extractor.dim == 24
    assert make_extractor(extractor_table(extractor)) == extractor
    with pytest.raises(InputError, match="must be in 1"):
        make_extractor({"kind": "image", "height": 0})


def test_no_distortion_changes_nothing():
    rng = np.random.default_rng(0)
    found = distort_image(page(), rng, ImageAugmentation())
    np.testing.assert_allclose(found.pixels, page().pixels, atol=1e-6)


def test_shift_and_width_move_what_they_say():
    options = ImageAugmentation(shift=3.0)
    tops = []
    for seed in range(40):
        found = distort_image(page(60), np.random.default_rng(seed), options).pixels
        assert found.shape == (60, 50)
        tops.append(np.flatnonzero(found.min(axis=1) < 0.5)[0])
    assert 1.5 < np.std(tops) < 5
    widths = {
        distort_image(page(), np.random.default_rng(s), ImageAugmentation(width=0.2)).width
        for s in range(20)
    }
    assert min(widths) < 50 < max(widths)


def test_slant_leans_to_the_side():
    leans = []
    for seed in range(20):
        found = distort_image(page(), np.random.default_rng(seed), ImageAugmentation(slant=0.5))
        dark = found.pixels < 0.5
        upper, lower = (np.flatnonzero(dark[row]).mean() for row in (6, 13))
        leans.append((upper - lower) / 7)
    assert 0.25 < np.std(leans) < 0.8


def test_everything_at_once_stays_an_image_and_is_repeatable():
    options = ImageAugmentation(0.2, 2.0, 0.2, 0.2, 1.0, 1.0, 5.0, 0.2, 0.1)
    first, second = (distort_image(page(), np.random.default_rng(5), options) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert not np.allclose(first.pixels[:, :40], page().pixels[:, :40], atol=0.05)
    tiny = distort_image(Image(np.zeros((1, 1))), np.random.default_rng(1), options)
    assert tiny.height == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"slant": -1.0}, "not be negative"),
        ({"width": 0.6}, "0 ... 0.5"),
        ({"wave_length": 0.5}, "wave_length must be at least 1"),
        ({"slnt": 0.1}, "did you mean 'slant'"),
    ],
)
def test_distortions_that_are_refused(options, reason):
    with pytest.raises(InputError, match=reason):
        build(ImageAugmentation, options, "image")
