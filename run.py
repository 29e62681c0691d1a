"""The door of the project: `python run.py demo`, `test`, `serve`, `bench` or `weights`. Needs nothing but Python.

Kept in syntax that any Python can read, so that a wrong one gets a sentence instead of a traceback.
"""

import sys

if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        "This needs Python 3.10 to 3.13, and this is Python %d.%d: start it with another one, "
        "for example `python3.12 run.py demo`." % sys.version_info[:2]
    )

from door.main import main

if __name__ == "__main__":
    sys.exit(main())
