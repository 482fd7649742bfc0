"""Videos on disk: one .npy file with an array (T, C, H, W) per video, and a list of labels.

The folder has a file `list.tsv` with a line for each video: file name, tab, labels separated by
blanks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.errors import InputError
from seqlabel.files import read_text, whole_file

LIST = "list.tsv"


def read_video(path: Path, size: tuple[int, int, int] | None = None) -> np.ndarray:
    """A video (T, C, H, W), float32; bytes are scaled to 0 ... 1. InputError for anything else.

    size: the required (C, H, W).
    """
    try:
        video = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, EOFError, ValueError) as error:
        ragged = "allow_pickle" in str(error)
        cause = "frames of different sizes" if ragged else f"not a whole .npy file ({error})"
        raise InputError(f"{path}: {cause}; save one array (T, C, H, W)") from None
    if not isinstance(video, np.ndarray) or video.ndim != 4 or not video.size:
        shape = getattr(video, "shape", "no shape")
        raise InputError(f"{path}: {shape} where (T, C, H, W) is expected; add or drop an axis")
    if video.dtype == np.uint8:
        video = video / np.float32(255)
    if video.dtype.kind != "f" or not np.isfinite(video).all():
        raise InputError(
            f"{path}: values that are not finite numbers ({video.dtype}); correct them"
        )
    if size is not None and video.shape[1:] != size:
        raise InputError(
            f"{path}: frames of {video.shape[1:]}, the others have {size}; scale them to one size"
        )
    return video.astype(np.float32)


def write_videos(
    folder: Path, videos: Sequence[np.ndarray], labels: Sequence[Sequence[str]]
) -> None:
    """Write videos (T, C, H, W), uint8, and then their list."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (video, symbols) in enumerate(zip(videos, labels, strict=True)):
        with whole_file(folder / f"{number:05d}.npy", "wb") as stream:
            np.save(stream, video)
        lines.append(f"{number:05d}.npy\t{' '.join(symbols)}\n")
    with whole_file(folder / LIST) as stream:
        stream.writelines(lines)


def read_videos(
    folder: Path, alphabet: Alphabet
) -> tuple[list[np.ndarray], list[list[int]], list[str]]:
    """Videos of a folder, their label indices, and their file names; all videos have one size.

    Raises InputError naming the file at fault.
    """
    videos: list[np.ndarray] = []
    targets, names = [], []
    for number, line in enumerate(read_text(folder / LIST).splitlines(), 1):
        name, tab, symbols = line.partition("\t")
        if not tab:
            raise InputError(f"{folder / LIST}:{number}: a file, a tab and labels are expected")
        size = videos[0].shape[1:] if videos else None
        videos.append(read_video(folder / name, size))
        targets.append(alphabet.encode(symbols.split(), f"{folder / LIST}:{number}"))
        names.append(name)
    if not videos:
        raise InputError(f"{folder / LIST}: no videos; add a line for each")
    return videos, targets, names
