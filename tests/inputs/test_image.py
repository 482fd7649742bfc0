"""Images: every mode of pixels, and what is refused in one line."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image as pillow

from seqlabel.errors import InputError
from seqlabel.inputs import Image, image, read_image
from seqlabel.inputs.image import write_image

GREY = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)


def saved(tmp_path, picture, name="line.png", **options):
    path = tmp_path / name
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm", "bmp", "webp"])
def test_grey_pixels_come_back(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path, pillow.fromarray(GREY), f"line.{suffix}", **options)
    found = read_image(path)
    assert (found.height, found.width) == (2, 3)
    np.testing.assert_allclose(found.pixels, GREY / 255, atol=1e-6)


def test_jpeg_is_read_to_its_accuracy(tmp_path):
    path = saved(tmp_path, pillow.fromarray(np.full((16, 16), 120, np.uint8)), "line.jpg")
    np.testing.assert_allclose(read_image(path).pixels, 120 / 255, atol=0.02)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_are_scaled_by_their_range(tmp_path, suffix):
    grey = GREY.astype(np.uint16) * 257
    if suffix == "pgm":  # old versions of Pillow do not write it
        path = tmp_path / "line.pgm"
        header = f"P5 {grey.shape[1]} {grey.shape[0]} 65535\n"
        path.write_bytes(header.encode() + grey.astype(">u2").tobytes())
    else:
        path = saved(tmp_path, pillow.fromarray(grey), f"line.{suffix}")
    np.testing.assert_allclose(read_image(path).pixels, GREY / 255, atol=1e-4)


def tiff(data, bits, photometric, orientation=1):
    """A grey TIFF of one strip, 3 pixels wide and 2 high, in little-endian order."""
    tags = {256: 3, 257: 2, 258: bits, 259: 1, 262: photometric, 273: 8, 274: orientation, 277: 1,
            278: 2, 279: len(data)}  # fmt: skip
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    head = b"II" + struct.pack("<HI", 42, 8 + len(data))
    return head + data + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("bits", "photometric", "data"),
    [
        (8, 1, bytes([0, 51, 102, 153, 204, 255])),
        (8, 0, bytes([255, 204, 153, 102, 51, 0])),
        (16, 1, struct.pack("<6H", 0, 13107, 26214, 39321, 52428, 65535)),
        (16, 0, struct.pack("<6H", 65535, 52428, 39321, 26214, 13107, 0)),
        # rows of 36 bits, filled up to bytes: 0, 819, 1638 and 2457, 3276, 4095
        (12, 1, bytes.fromhex("000 333 666 0".replace(" ", "") + "999 ccc fff 0".replace(" ", ""))),
    ],
)
def test_tiff_has_its_own_range_and_direction(tmp_path, bits, photometric, data):
    path = tmp_path / "line.tif"
    path.write_bytes(tiff(data, bits, photometric))
    grey = np.array([[0, 0.2, 0.4], [0.6, 0.8, 1]])
    np.testing.assert_allclose(read_image(path).pixels, grey, atol=1e-6)
    path.write_bytes(tiff(data, bits, photometric, orientation=3))  # upside down
    np.testing.assert_allclose(read_image(path).pixels, grey[::-1, ::-1], atol=1e-6)


def test_what_is_transparent_is_white(tmp_path):
    layers = np.dstack([GREY, GREY, GREY, np.array([[255, 255, 0], [255, 128, 255]], np.uint8)])
    found = read_image(saved(tmp_path, pillow.fromarray(layers, "RGBA"))).pixels
    assert found[0, 0] == 0
    assert found[0, 2] == 1
    half = (204 * 128 + 255 * 127) / 255 / 255
    assert found[1, 1] == pytest.approx(half, abs=0.01)


def test_colours_palettes_and_bits_become_grey(tmp_path):
    red = pillow.fromarray(np.full((2, 2, 3), (255, 0, 0), np.uint8))
    assert read_image(saved(tmp_path, red)).pixels[0, 0] == pytest.approx(0.299, abs=0.01)
    palette = pillow.fromarray(GREY).quantize(6)
    np.testing.assert_allclose(read_image(saved(tmp_path, palette)).pixels, GREY / 255, atol=0.01)
    bits = pillow.fromarray(GREY > 100)
    assert read_image(saved(tmp_path, bits)).pixels.tolist() == [[0, 0, 1], [1, 1, 1]]


def test_one_pixel_is_an_image(tmp_path):
    assert read_image(saved(tmp_path, pillow.new("L", (1, 1), 51))).pixels == np.float32(0.2)


def test_written_images_come_back(tmp_path):
    write_image(tmp_path / "line.png", Image(GREY / 255))
    np.testing.assert_allclose(read_image(tmp_path / "line.png").pixels, GREY / 255, atol=1e-6)


def png(width, height, data=b""):
    """A PNG file with any header."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def whole():
    stream = io.BytesIO()
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 60), dtype=np.uint8)
    pillow.fromarray(noise).save(stream, "PNG")
    return stream.getvalue()


def tiff_with_an_empty_second_page():
    stream = io.BytesIO()
    pillow.new("L", (3, 2)).save(stream, "TIFF")
    data = bytearray(stream.getvalue())
    data += b"\x00" * (len(data) % 2)
    (tags,) = struct.unpack_from("<H", data, 8)
    struct.pack_into("<I", data, 10 + 12 * tags, len(data))  # where the next directory begins
    return bytes(data) + b"\x00" * 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\x00\x01 no image", "not an image of a known format"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "not an image of a known format"),
        (whole()[:1000], "a damaged image"),
        (whole()[:20], "a damaged image|not an image of a known format"),
        (whole()[:900] + b"xxxxxxxx" + whole()[908:], "a damaged image"),
        (png(0, 4), "not an image of a known format"),
        (png(9000, 9000), "9000 x 9000 pixels, more than 50000000 in all"),
        (png(30000, 30000), "more than 50000000"),
        (png(8, 8, b"\x00"), "a damaged image"),
        (b"P5\n2 2\n255\n\x00", "a damaged image"),
        (tiff_with_an_empty_second_page(), "a damaged image"),
    ],
)
def test_files_that_are_refused(tmp_path, content, reason):
    path = tmp_path / "line.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_several_pages_and_unknown_ranges_are_refused(tmp_path):
    page = pillow.fromarray(GREY)
    path = saved(tmp_path, page, "line.tif", save_all=True, append_images=[page])
    with pytest.raises(InputError, match="2 pages"):
        read_image(path)
    path = saved(tmp_path, pillow.fromarray(GREY.astype(np.float32)), "line.tif")
    with pytest.raises(InputError, match="pixels of 32 bits"):
        read_image(path)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    path = saved(tmp_path, pillow.fromarray(GREY))
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match=r"pip install seqlabel\[image\]"):
        read_image(path)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((0, 5)), "an image of shape"),
        (np.zeros((2, 2, 3)), "an image of shape"),
        (np.full((2, 2), 255), "outside"),
        (np.full((2, 2), np.nan), "NaN"),
    ],
)
def test_arrays_that_are_no_images(pixels, reason):
    with pytest.raises(InputError, match=reason):
        Image(pixels)


def test_large_arrays_are_refused_without_being_copied(monkeypatch):
    monkeypatch.setattr(image, "MOST_PIXELS", 5)
    with pytest.raises(InputError, match="3 x 2 pixels, more than 5"):
        Image(GREY / 255)
