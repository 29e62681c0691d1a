"""What the checkers of the field say of the pack as it is published.

comfy-test's levels that need no server (syntax, javascript, hazards; its level warnings is only shown), its level
registration and its runner of workflows on a server of the newest host, to which it attaches; and comfy-import-guard
against each of the pinned hosts, as a git repository that is made of it here.

The other levels of comfy-test cannot say anything here. install builds an environment and a ComfyUI of its own from the
network. coverage and instantiation read NODE_CLASS_MAPPINGS, which a pack of the host's newer node API does not have:
the first then fails every such pack, the second passes it without a look. validation takes that API's choices for
sockets, so that it reads the values after each at the wrong input, and knows no notes. static_capture, execution and
execution_light photograph the front end in a browser that they download; what they run is run here without it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .environment import Environment
from .failure import from_pip
from .hosts import Host, child_environment, one_thread
from .paths import LOGS, PACK_NAME, RUN
from .process import keep_bytecode, say
from .published import publish
from .server import Server

PEERS = ("comfy-test==0.4.15", "comfy-import-guard==1.3.0")
TRIED = "Try it - restore a face (no downloads).json"
"""The template that needs no file of the user's."""

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

_LEVELS_ON_A_SERVER = """
import sys
from pathlib import Path
from comfy_test.common.config import TestConfig
from comfy_test.common.errors import TestError
from comfy_test.comfyui.workflow import WorkflowRunner
from comfy_test.orchestration.context import LevelContext
from comfy_test.orchestration.levels import registration
pack, url, tried = Path(sys.argv[1]), *sys.argv[2:]
context = LevelContext(TestConfig(name=pack.name), pack, "linux", print, pack.parent, server_url=url)
try:
    context = registration.run(context)
    ours = [name for name in context.registered_nodes if name.startswith("EditedID")]
    print(f"{len(ours)} nodes of the pack")
    WorkflowRunner(context.api, log_callback=lambda words: None).run_workflow(pack / "example_workflows" / tried)
    print(f"{tried}: runs to its end")
except TestError as error:
    sys.exit(f"{error}")
finally:
    if context.server:
        context.server.stop()
sys.exit(0 if ours else 1)
"""


def check_peers(hosts: Sequence[Host], python: Path) -> int:
    """Run them; 0 when all are content. python: that holds what the hosts need. Raises Failure where they cannot be
    installed, or the first host does not start."""
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
    say(f"\n== comfy-test, level registration and a workflow, ComfyUI {hosts[0].path.name}")
    passed.append(_on_a_server(environment, hosts[0], python, pack))
    return 0 if all(passed) else 1


def _on_a_server(environment: Environment, host: Host, python: Path, pack: Path) -> bool:
    """The levels that attach to a server, here one whose base directory holds the published pack alone."""
    base = pack.parent.parent
    for name in ("input", "output", "temp", "user/default"):
        (base / name).mkdir(parents=True, exist_ok=True)
    logs = LOGS / "peers"
    with Server(str(python), one_thread(child_environment(host, base)), log_name="peers/server.log") as server:
        return _run(environment, "python", "-c", _LEVELS_ON_A_SERVER, str(pack), server.url, TRIED,
                    more={"COMFY_TEST_LOGS_DIR": str(logs)})


def _install(environment: Environment) -> None:
    stamp = environment.folder / "peers"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == "\n".join(PEERS):
        return
    environment.prepare()
    code, output = environment.pip(["install", *PEERS], "installing the checkers")
    if code:
        raise from_pip(output, LOGS / "pip.log")
    stamp.write_text("\n".join(PEERS), encoding="utf-8")


def _run(environment: Environment, command: str, *arguments: str, more: Mapping[str, str] | None = None) -> bool:
    program = environment.python if command == "python" else environment.python.with_name(command)
    env = keep_bytecode({**os.environ, **(more or {})})
    return subprocess.run([str(program), *arguments], stdin=subprocess.DEVNULL, env=env).returncode == 0


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
