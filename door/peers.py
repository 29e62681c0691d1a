"""What the checkers of the field say of the pack as it is published.

comfy-test's levels that need neither network nor server (syntax, javascript, hazards; its level warnings is only
shown), and comfy-import-guard against each of the pinned hosts, as a git repository that is made of it here.
comfy-test's level coverage reads NODE_CLASS_MAPPINGS, which a pack of the host's newer node API does not have; its
later levels build an environment of their own from the network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .environment import Environment
from .failure import from_pip
from .hosts import Host
from .paths import LOGS, PACK_NAME, RUN
from .process import say
from .published import publish

PEERS = ("comfy-test==0.4.15", "comfy-import-guard==1.3.0")
_LEVELS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from comfy_test.orchestration.levels import hazards, warnings
said = []
context = SimpleNamespace(node_dir=Path(sys.argv[1]), config=None, log=said.append)
hazards.run(context)
clean = "Hazards check: clean" in said
warnings.run(context)
print(*said, sep="\\n")
sys.exit(0 if clean else 1)
"""


def check_peers(hosts: Sequence[Host]) -> int:
    """Run them; 0 when all are content. Raises Failure where they cannot be installed."""
    environment = Environment(RUN / "venv-peers")
    _install(environment)
    pack = publish(RUN / "published" / "custom_nodes")
    say(f"== comfy-test, levels syntax and javascript, on {pack}")
    passed = [_run(environment, "comfy-test", "lint", "--strict", str(pack))]
    say("\n== comfy-test, levels hazards and warnings")
    passed.append(_run(environment, "python", "-c", _LEVELS, str(pack)))
    for host in hosts:
        say(f"\n== comfy-import-guard, ComfyUI {host.path.name}")
        passed.append(_run(
            environment, "comfy-import-guard", "check", "--offline", "--no-update", "--strict", "--target", "HEAD",
            "--cache-dir", str(_repository(host)), "--comfy-dir", str(RUN / "published"), "--pack", PACK_NAME))
    return 0 if all(passed) else 1


def _install(environment: Environment) -> None:
    stamp = environment.folder / "peers"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == "\n".join(PEERS):
        return
    environment.prepare()
    code, output = environment.pip(["install", *PEERS], "installing the checkers")
    if code:
        raise from_pip(output, LOGS / "pip.log")
    stamp.write_text("\n".join(PEERS), encoding="utf-8")


def _run(environment: Environment, command: str, *arguments: str) -> bool:
    program = environment.python if command == "python" else environment.python.with_name(command)
    return subprocess.run([str(program), *arguments], stdin=subprocess.DEVNULL).returncode == 0


def _repository(host: Host) -> Path:
    """A cache of the guard whose clone of ComfyUI is the host with one commit."""
    cache = RUN / "guard" / host.path.name
    clone = cache / "ComfyUI"
    shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(parents=True)
    shutil.copytree(host.path, clone, ignore=lambda folder, names: {n for n in names if _is_data(Path(folder) / n)})
    author = ("-c", "user.name=host", "-c", "user.email=host@localhost", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "-A", "-f"), (*author, "commit", "-q", "-m", host.path.name)):
        subprocess.run(["git", *words], cwd=clone, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    return cache


def _is_data(path: Path) -> bool:
    """Whether the guard does not read it: it asks for modules alone."""
    return path.is_file() and path.suffix != ".py"
