"""The folder of numba's compiled kernels, which nobody else may write to.

numba's cache holds pickles and machine code, which run when they are loaded. By itself numba
uses any folder in NUMBA_CACHE_DIR, and fails if it cannot write to any folder.
"""

import atexit
import logging
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

log = logging.getLogger("seqlabel")

VARIABLE = "NUMBA_CACHE_DIR"
PACKAGE = Path(__file__).parent

_temporary: str | None = None


def choose_compile_cache() -> None:
    """Keep numba from using caches of other users, and from failing if it cannot write a cache.

    Unchanged are a folder in NUMBA_CACHE_DIR to which only this user (or root) can write, and
    numba's own choice (`__pycache__` beside the code, whose owner could change the code as well,
    else the user's cache folder). Otherwise kernels are compiled for this process only.
    """
    if not hasattr(os, "geteuid"):  # Windows has no such owners and modes
        return
    named = os.environ.get(VARIABLE)
    if named and not is_private(Path(named)):
        log.warning(
            "%s=%s: another user owns this folder or may write to it; its kernels are not "
            "loaded, all are compiled again",
            VARIABLE,
            named,
        )
    elif (named and _writable(Path(named))) or _in_tree() or _user_wide():
        return
    global _temporary
    _temporary = folder = tempfile.mkdtemp(prefix="seqlabel-kernels-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[VARIABLE] = folder
    if "numba" in sys.modules:  # it has read the environment already
        import numba

        numba.config.CACHE_DIR = folder  # type: ignore[attr-defined]


def is_kept() -> bool:
    """Whether later processes find what this one compiles."""
    return _temporary is None


def is_private(folder: Path) -> bool:
    """Whether only this user or root can write to `folder`, which is created if missing."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return not folder.exists()  # then numba cannot read anything there either
    status = folder.stat()
    others = stat.S_IWOTH
    if status.st_gid != status.st_uid:  # not the group that systems give each user
        others |= stat.S_IWGRP
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & others


def _writable(folder: Path) -> bool:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _in_tree() -> bool:
    """Whether numba can write beside the code."""
    for place, folders, files in os.walk(PACKAGE):
        folders[:] = [name for name in folders if name != "__pycache__"]
        code = any(name.endswith(".py") for name in files)
        if code and not _writable(Path(place, "__pycache__")):
            return False
    return True


def _user_wide() -> bool:
    """Whether the user's cache folder can be written to, by this user only."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(home, "numba")
    return _writable(folder) and (not folder.exists() or is_private(folder))
