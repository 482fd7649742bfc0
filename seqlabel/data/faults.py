"""Why an utterance has no loss."""

from seqlabel.alphabet import Alphabet, required_frames
from seqlabel.corpora.manifest import Utterance

UNSEGMENTED = "no hand segmentation; framewise training needs `segments` in the manifest"


def level_fault(utterance: Utterance, name: str, alphabet: Alphabet, frames: int) -> str | None:
    """Why a level of an utterance has no CTC loss, None if it has one."""
    labels = utterance.levels.get(name, ())
    lacking = [label for label in labels if label not in alphabet]
    if not labels:
        return f"no labels of the level {name!r}"
    if lacking:
        return f"symbol {lacking[0]!r} is not in the alphabet of the level {name!r}"
    if required_frames(labels) > frames:
        return f"{frames} frames, its level {name!r} needs {required_frames(labels)}"
    return None
