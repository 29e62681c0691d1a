"""``python run.py bench templates``: every template run on a server; with ``--write``, all written anew before."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..templates import build, run


def main(arguments: Sequence[str]) -> None:
    """Run them with command-line arguments."""
    parser = argparse.ArgumentParser(prog="run.py bench templates", description="Every template run on a server, with "
                                     "the lab's models, pictures and a video in the place of the user's.")
    parser.add_argument("word", nargs="?", default="", help="only those whose name holds this")
    parser.add_argument("--write", action="store_true", help="write templates, blueprint and API example anew first")
    parser.add_argument("--gpu", action="store_true", help=argparse.SUPPRESS)  # run.py passes it on
    options = parser.parse_args(arguments)
    if options.write:
        build.main()
    sys.exit(run.main(options.word))
