"""Readers of recordings, ink, images and series, with whole files of every suffix."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from fuzz_files import INK, PRESSED, TONE, Reader, alone, picture, real, written

from seqlabel.inputs import Ink, audio, image, ink_files, read_audio, read_ink
from seqlabel.inputs.formats import iam_xml, ink_json, inkml, stroke_arrays, unipen, xournal
from seqlabel.inputs.series import read_values, write_values
from seqlabel.inputs.sphere import write_sphere


def audio_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """One for each container that libsndfile writes, and SPHERE."""

    def read(path: Path) -> None:
        read_audio(path, 16000, channel=0)
        audio.read_audio_header(path)

    for kind in sorted(soundfile.available_formats()):
        seeds = []
        for channels, subtype in ((1, None), (2, "PCM_16")):
            path = folder / f"{channels}.{kind}"
            try:
                samples = np.stack([TONE] * channels, axis=1)
                soundfile.write(path, samples, 16000, format=kind, subtype=subtype)
                read(path)
            except (soundfile.SoundFileError, TypeError, ValueError):
                continue  # raw samples, or a combination that the container does not know
            seeds.append(path.read_bytes())
        seeds += real(data, f".{kind.lower()}") if kind != "WAV" else []
        if seeds:
            yield alone(f"audio {kind}", seeds, ".wav", read)
    spheres = [written(lambda path: write_sphere(path, TONE, 16000), folder / "a.sph")]
    waves = real(data, ".wav", ".sph")
    spheres += [found for found in waves if found.startswith(b"NIST")]
    yield alone("audio SPHERE", spheres, ".sph", read)
    yield alone("audio of --data", waves or spheres, ".wav", read)


INK_TEXTS = {
    ".xml": b'<?xml version="1.0" encoding="ISO-8859-1"?><WhiteboardCaptureSession><StrokeSet>'
    b'<Stroke><Point x="1" y="2" time="0"/><Point x="3" y="4" time=".25"/></Stroke></StrokeSet>'
    b"</WhiteboardCaptureSession>",
    ".inkml": b'<ink xmlns="http://www.w3.org/2003/InkML"><definitions><context id="c"><inkSource>'
    b'<traceFormat><channel name="X" units="cm"/><channel name="Y" units="cm" orientation="-ve"/>'
    b'<intermittentChannels><channel name="F"/></intermittentChannels></traceFormat>'
    b'<channelProperties><channelProperty channel="X" name="resolution" value="40" units="1/cm"/>'
    b'<channelProperty channel="Y" name="resolution" value="5" units="1/mm"/></channelProperties>'
    b'</inkSource></context><context id="d" contextRef="#c"/></definitions><traceFormat><channel'
    b' name="X"/><channel name="Y"/><channel name="T" units="ms"/></traceFormat><trace>1 2 3,'
    b'\'1\'1\'5,"2"2"0</trace><traceGroup contextRef="#d"><trace id="a">5 6 30,7 8</trace>'
    b'<traceView traceDataRef="a"/></traceGroup><context contextRef="#c"/><trace>1 2</trace></ink>',
    ".json": b'[[{"x": 1, "y": 2, "t": 0, "pressure": 0.5}, {"x": 3, "y": 4, "t": 20}]]',
    ".unipen": b'.VERSION 1.0\n.COORD X Y T\n.HIERARCHY WORD\n.SEGMENT WORD 0 ? "a"\n.PEN_DOWN\n'
    b" 1 2 0\n 3 4 10\n.PEN_UP\n.DT 100\n.PEN_DOWN\n 5 6 7\n.PEN_UP\n",
    ".xoj": b'<?xml version="1.0" standalone="no"?><xournal version="0.4.8"><page width="612.00"'
    b' height="792.00"><background type="solid" color="white" style="lined"/><layer><stroke'
    b' tool="pen" color="black" width="1.41 1.2 0.9">1.5 2 3 4 5 6.5</stroke><stroke'
    b' tool="eraser" color="white" width="8.50">1 2 3 4</stroke></layer></page></xournal>',
    ".svg": b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 90" fill="none"><g'
    b' transform="translate(3,4) scale(2)" stroke="#123"><style>.a,path{stroke:red}#b{display:none}'
    b'</style><svg x="1" y="2"><path class="a" d="M1 2l3 4" visibility="hidden"/></svg>'
    b'<path d="M1 2l3 4h5V6c1 2 3 4 5 6s7 8 9'
    b' 1Q1 2 3-4t5.5.5z m1e1 2 3,4"/><polyline points="1,2 3,4"/><polygon points="1 2 3 4 5 7"/>'
    b'<line x1="1" y1="2" x2="3" y2="4" style="stroke:red"/><circle cx="5" cy="6" r="1"/></g>'
    b"</svg>",
}
"""Whole files by hand, of what the package's own writers do not write."""


def ink_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """One for each suffix that a folder of ink is searched for."""
    writers: dict[str, list[Callable[[Path, Ink], None]]] = {
        ".inkml": [inkml.write_inkml],
        ".xml": [iam_xml.write_iam_xml],
        ".ink": [ink_files.write_ink],
        ".json": [ink_json.write_ink_json],
        ".upn": [unipen.write_unipen],
        ".npy": [stroke_arrays.write_stroke3, stroke_arrays.write_stroke5],
        ".xopp": [xournal.write_xopp],
    }
    same = {".unipen": ".upn", ".dat": ".upn"}
    for suffix in ink_files.SUFFIXES:
        seeds = real(data, suffix)
        seeds += [INK_TEXTS[suffix]] if suffix in INK_TEXTS else []
        for write in writers.get(same.get(suffix, suffix), []):
            seeds += [
                written(lambda path, w=write, i=ink: w(path, i), folder / f"a{suffix}")
                for ink in (INK, PRESSED)
            ]
        if suffix == ".npz":
            stream = io.BytesIO()
            np.savez(stream, stroke_arrays.to_stroke3(INK))
            seeds.append(stream.getvalue())
        yield alone(f"ink {suffix}", seeds, suffix, read_ink)


def image_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """One for each suffix that a folder of images is searched for."""
    tiffs = [
        picture("TIFF", "L"),
        picture("TIFF", "1", compression="group4"),
        picture("TIFF", "RGB", compression="tiff_lzw"),
        picture("TIFF", "I;16", compression="tiff_adobe_deflate"),
    ]
    jpegs = [picture("JPEG", mode) for mode in ("L", "RGB", "CMYK")]
    jpegs.append(picture("JPEG", "L", progressive=True))
    files = {
        ".png": [picture("PNG", mode) for mode in ("1", "L", "P", "LA", "RGBA", "I;16")],
        ".tif": tiffs,
        ".tiff": tiffs,
        ".pgm": [picture("PPM", "L"), b"P2\n# grey\n3 2\n9\n0 1 2\n3 4 9\n"],
        ".pbm": [picture("PPM", "1"), b"P1\n3 2\n0 1 0\n1 1 0\n"],
        ".ppm": [picture("PPM", "RGB"), b"P3\n1 2\n255\n0 1 2\n3 4 255\n"],
        ".jpg": jpegs,
        ".jpeg": jpegs,
        ".bmp": [picture("BMP", mode) for mode in ("1", "L", "P", "RGB")],
        ".webp": [picture("WEBP", "RGB"), picture("WEBP", "RGBA", lossless=True)],
    }
    for suffix in image.SUFFIXES:
        seeds = files.get(suffix, []) + real(data, suffix)
        yield alone(f"image {suffix}", seeds, suffix, image.read_image)


def series_readers(folder: Path, data: Path | None) -> Iterator[Reader]:
    """Arrays of numbers, as series and as targets."""
    arrays = [np.arange(12.0).reshape(4, 3), np.zeros((3, 2, 2), "i2", order="F"), np.ones(5, "f4")]
    seeds = [written(lambda path, x=x: write_values(path, x), folder / "a.npy") for x in arrays]
    yield alone("series", seeds, ".npy", read_values)
