"""`python -m seqlabel.cli VERB ...`, for machines where the console script is not on PATH."""

import sys

from seqlabel.cli import main

sys.exit(main())
