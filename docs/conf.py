"""Settings of the documentation; `scripts/docs.sh` builds it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generate import write_reference

import seqlabel

project = "seqlabel"
author = "The seqlabel authors"
copyright = f"2026, {author}"
release = version = seqlabel.__version__

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"seqlabel {release}"
html_static_path: list[str] = []
nitpicky = True

write_reference(Path(__file__).parent / "reference")
