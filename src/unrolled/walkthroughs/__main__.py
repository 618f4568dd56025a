"""Writes every worked example as a page: ``python -m unrolled.walkthroughs FOLDER``."""

import sys
from pathlib import Path

from unrolled.walkthroughs import WALKTHROUGHS

for name, walk in WALKTHROUGHS.items():
    Path(sys.argv[1], f"{name}.md").write_text(walk().as_markdown(), encoding="utf-8")
