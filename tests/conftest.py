"""The clone goes at the end of sys.path: a host has top-level modules of the same names, and they come first."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
