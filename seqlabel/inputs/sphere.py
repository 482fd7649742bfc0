"""NIST SPHERE audio, the format of TIMIT and other LDC corpora.

A header of ASCII lines (`name -type value`, its size on line 2, usually 1024 bytes), then samples.
TIMIT's are 16-bit PCM. The header is compared with the file, because damaged copies exist: an
end-of-line conversion removed a few bytes and turned the rest into noise.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqlabel.errors import InputError
from seqlabel.files import whole_file
from seqlabel.inputs.shards import open_signal

MAGIC = b"NIST_1A"
_BYTE_ORDER = {"01": "<i2", "10": ">i2"}


@dataclass(frozen=True)
class SphereHeader:
    """A SPHERE header for samples that this module can read.

    size: bytes of the header. frames: samples per channel. dtype: of one sample, as numpy spells
    it. extremes: smallest and largest sample value, if stated.
    """

    size: int
    rate: int
    channels: int
    frames: int
    dtype: str
    extremes: tuple[int, int] | None


def read_sphere_header(path: Path) -> SphereHeader:
    """Read and check a SPHERE header.

    Raises InputError for a header that cannot be read, for compressed or 8-bit samples, and if
    the file does not have exactly the samples in its header.
    """
    with open_signal(path) as stream:
        begin = stream.read(16)
        if not begin[8:16].strip().isdigit():
            raise InputError(f"{path}: SPHERE header without its size on line 2")
        size = int(begin[8:16])
        stream.seek(0)
        header = stream.read(size)
        body_begin = stream.read(4)
        body = stream.seek(0, 2) - size
    fields = _fields(header, path)
    coding = fields.get("sample_coding", "pcm")
    if coding != "pcm" or body_begin == b"ajkg":  # the magic of shorten
        raise InputError(
            f"{path}: SPHERE audio coded as {coding if coding != 'pcm' else 'shorten'}; "
            "convert it first: sph2pipe -f wav IN OUT"
        )
    dtype = _BYTE_ORDER.get(fields.get("sample_byte_format", ""))
    if fields.get("sample_n_bytes", "2") != "2" or dtype is None:
        raise InputError(
            f"{path}: SPHERE samples of {fields.get('sample_n_bytes', '?')} bytes in order "
            f"{fields.get('sample_byte_format', '?')}; 16-bit PCM is expected: convert it with "
            "sph2pipe -f wav IN OUT"
        )
    rate = _integer(fields, "sample_rate", path)
    channels = _integer(fields, "channel_count", path)
    if rate < 1 or channels < 1:
        raise InputError(f"{path}: SPHERE header with a rate or a channel count below 1")
    if "sample_count" in fields:
        frames = _integer(fields, "sample_count", path)
    else:
        frames = body // (2 * channels)
    if body != 2 * channels * frames:
        raise InputError(
            f"{path}: the SPHERE header says {frames} samples ({2 * channels * frames} bytes), "
            f"the file has {body} bytes; the copy is damaged (truncated, or changed by an "
            "end-of-line conversion): get a clean one"
        )
    extremes = None
    if "sample_min" in fields and "sample_max" in fields:
        extremes = _integer(fields, "sample_min", path), _integer(fields, "sample_max", path)
    return SphereHeader(size, rate, channels, frames, dtype, extremes)


def read_sphere_samples(
    path: Path, header: SphereHeader, first: int = 0, last: int | None = None
) -> np.ndarray:
    """Samples first ... last - 1 of a checked file: (n, channels), integers in its byte order."""
    last = header.frames if last is None else last
    size = 2 * header.channels
    with open_signal(path) as stream:
        stream.seek(header.size + size * first)
        samples = np.frombuffer(stream.read(size * (last - first)), dtype=header.dtype)
    return samples.reshape(-1, header.channels)


def _fields(header: bytes, path: Path) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in header.decode("latin-1").split("\n")[2:]:
        if line.strip() == "end_head":
            return fields
        name, _, rest = line.strip().partition(" ")
        if name and not name.startswith(";"):
            fields[name] = rest.partition(" ")[2].strip()  # after the type: -i, -r or -sN
    raise InputError(f"{path}: the SPHERE header has no end; the file is truncated or damaged")


def _integer(fields: dict[str, str], name: str, path: Path) -> int:
    try:
        return int(fields[name])
    except (KeyError, ValueError):
        raise InputError(
            f"{path}: SPHERE header with {name} = {fields.get(name, 'nothing')}; get a clean copy"
        ) from None


def write_sphere(path: Path, samples: np.ndarray, rate: int, utterance: str = "") -> None:
    """Write (N,) int16 samples as TIMIT's files are: 1024 bytes of header, little endian.

    utterance: its id, for the header.
    """
    if samples.dtype != np.int16 or samples.ndim != 1 or not len(samples):
        raise InputError(f"{path}: (N,) int16 samples are expected, not {samples.dtype}")
    utterance = utterance or Path(path).stem
    fields = {
        "utterance_id": f"-s{len(utterance)} {utterance}",
        "channel_count": "-i 1",
        "sample_count": f"-i {len(samples)}",
        "sample_rate": f"-i {rate}",
        "sample_min": f"-i {samples.min()}",
        "sample_max": f"-i {samples.max()}",
        "sample_n_bytes": "-i 2",
        "sample_byte_format": "-s2 01",
        "sample_sig_bits": "-i 16",
    }
    lines = ["NIST_1A", "   1024", *(f"{name} {value}" for name, value in fields.items())]
    header = ("\n".join(lines) + "\nend_head\n").encode("ascii", errors="replace")
    with whole_file(path, "wb") as stream:
        stream.write(header.ljust(1024) + samples.astype("<i2").tobytes())
