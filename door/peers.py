"""What the checkers of the field say of the pack as it is published.

comfy-test's levels that need no network and no server: syntax and javascript. The later ones build an environment of
their own from the network.
"""

from __future__ import annotations

import subprocess

from .environment import Environment
from .failure import Failure
from .paths import RUN
from .process import say
from .published import publish

CHECKER = "comfy-test"


def check_peers() -> int:
    """Run them; 0 when all are content. Raises Failure where they cannot be installed."""
    environment = Environment(RUN / "venv-peers")
    if not (environment.python.with_name(CHECKER)).exists():
        environment.prepare()
        code, _ = environment.pip(["install", CHECKER], f"installing {CHECKER}")
        if code:
            raise Failure(f"{CHECKER} could not be installed: see {RUN / 'logs' / 'pip.log'}.")
    pack = publish(RUN / "published")
    say(f"== {CHECKER}, levels syntax and javascript, on {pack}")
    return subprocess.run([str(environment.python.with_name(CHECKER)), "lint", "--strict", str(pack)],
                          stdin=subprocess.DEVNULL).returncode
