"""The commands of run.py: what each one needs, and which process does its work."""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .environment import Environment, requirement_lines
from .face_weights import ensure_face_weights, offer_face_weights
from .failure import Failure, no_space
from .hosts import (
    NEWEST,
    OPENING,
    RELEASES,
    Host,
    add_opening,
    child_environment,
    ensure_frontend,
    one_thread,
    pinned_host,
    prepare_base,
    user_host,
    with_frontend,
)
from .paths import BASE, LOGS, MODELS, RESULTS, ROOT, RUN
from .peers import check_peers
from .process import keep_bytecode, only_one, say
from .server import require_port, server_command
from .supply import PYTHONS, try_supply
from .tests import RINGS, Suite

ALWAYS = (ROOT / "requirements.txt", ROOT / "door" / "requirements-host.txt")
FOR_TESTS = ROOT / "door" / "requirements-test.txt"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    options, rest = _parser().parse_known_args(arguments)
    rest = [word for word in rest if word != "--"]
    if rest and options.command in ("demo", "serve", "weights"):
        _parser().error(f"unknown argument: {rest[0]}")
    try:
        return options.work(options, rest)
    except Failure as failure:
        say(f"\n{failure}")
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        say(f"\n{no_space(RUN)}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted: run the same command again to go on.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="Restore a person's face in an edited picture.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, work, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(work=work)
        added.add_argument("--comfyui", type=Path, metavar="PATH", help="use this ComfyUI and its models, read-only")
        added.add_argument("--host-version", choices=sorted(RELEASES), help=f"ComfyUI to use (default {NEWEST})")
        added.add_argument("--gpu", action="store_true", help="let ComfyUI use the graphics card")
        return added

    demo = command("demo", _demo, "restore a face in an edited portrait, in a real ComfyUI server, and show it")
    demo.add_argument("--out", type=Path, default=RESULTS / "demo", metavar="DIR", help="folder for the results")
    demo.add_argument("--original", type=Path, metavar="P", help="photo with the true face")
    demo.add_argument("--edited", type=Path, metavar="P", help="picture in which that face drifted")
    demo.add_argument("--checkpoint", metavar="NAME", help="checkpoint file as ComfyUI lists it")
    demo.add_argument("--model-family", choices=("unet", "dit"), help="with one of the lab's tiny models, on a drawn "
                      "person; without this and --checkpoint no diffusion runs")
    serve = command("serve", _serve, "open ComfyUI with the pack for a browser")
    serve.add_argument("--port", type=int, default=8188)
    test = command("test", _test, "install what the tests need and run all of them; pytest arguments pass through")
    test.add_argument("--ring", choices=RINGS, action="append", help="only this part (may be given more than once)")
    test.add_argument("--front-end", metavar="VERSION", help="with this front end, such as 1.58.1, in place of its own")
    test.add_argument("--peers", action="store_true", help="then the field's own checkers, as `peers` runs them")
    command("bench", _bench, "measure the method; arguments pass through to lab.bench")
    text = "fetch and convert the face mesh's weights into ComfyUI's models, or into .run/models"
    weights = commands.add_parser("weights", help=text, description=text)
    weights.set_defaults(work=_weights)
    weights.add_argument("--comfyui", type=Path, metavar="PATH", help="the ComfyUI whose models folder takes them")
    supply = command("supply", _supply, "run the pack's core tests on the newest of everything, in fresh environments")
    supply.add_argument("--python", choices=PYTHONS, action="append", help="only this Python (default: all at hand)")
    command("peers", _peers, "run the field's own checkers on the pack as it is published")
    return parser


DRAWN_MODELS = (
    "The lab's models were trained on drawn people and spoil photographs: give --comfyui PATH and --checkpoint NAME\n"
    "to use a model of your own, or no --model-family to use none."
)


def _host(options: argparse.Namespace, environment: Environment) -> Host:
    if options.comfyui:
        if options.host_version:
            raise Failure("Give --comfyui or --host-version, not both.")
        return user_host(options.comfyui)
    return pinned_host(options.host_version or NEWEST, environment)


def _environment(options: argparse.Namespace) -> Environment:
    """One environment for the pinned hosts; the user's own host may want other versions."""
    return Environment(RUN / ("venv-own" if options.comfyui else "venv"))


def _prepare(hosts: Sequence[Host], environment: Environment, more: Sequence[Path] = ()) -> None:
    """What a process with these hosts needs: packages, front ends, base directory, the lab's models."""
    wanted = [line for file in (*ALWAYS, *more) for line in requirement_lines(file)]
    environment.ensure([*wanted, *(line for host in hosts for line in host.requirements())])
    for host in hosts:
        ensure_frontend(host, environment)
    prepare_base()
    install = [str(environment.python), str(ROOT / "lab" / "install_models.py"), str(MODELS)]
    subprocess.run(install, env=keep_bytecode(os.environ), check=True)
    offer_face_weights(MODELS, environment.python)


def _ready(options: argparse.Namespace) -> tuple[Environment, Host]:
    environment = _environment(options)
    with only_one(RUN / "set-up.lock"):
        host = _host(options, environment)
        _prepare([host], environment)
    return environment, host


def _demo(options: argparse.Namespace, rest: Sequence[str]) -> int:
    start = time.monotonic()
    if bool(options.original) != bool(options.edited):
        raise Failure("Give both --original and --edited, or neither.")
    for picture in (options.original, options.edited):
        if picture and not picture.is_file():
            raise Failure(f"There is no picture {picture}.")
    # Only the lab's own pack knows its drawn people, and no other person.
    os.environ["EDITEDID_FACE_PACK"] = "lab" if options.model_family and not options.original else "auto"
    if options.model_family and options.original and not options.checkpoint:
        say(DRAWN_MODELS)
    environment, host = _ready(options)
    words = ["--out", str(options.out.resolve())]
    words += ["--model-family", options.model_family] if options.model_family else []
    if options.original:
        words += ["--original", str(options.original.resolve()), "--edited", str(options.edited.resolve())]
    words += ["--checkpoint", options.checkpoint] if options.checkpoint else []
    words += ["--gpu"] if options.gpu else []
    code = _module(environment, host, "lab.demo", words)
    say(f"{time.monotonic() - start:.0f} s in all.")
    return code


def _bench(options: argparse.Namespace, rest: Sequence[str]) -> int:
    environment, host = _ready(options)
    return _module(environment, host, "lab.bench", [*rest, *(["--gpu"] if options.gpu else [])])


def _supply(options: argparse.Namespace, rest: Sequence[str]) -> int:
    return try_supply(options.python or (), rest)


def _peers(options: argparse.Namespace, rest: Sequence[str]) -> int:
    environment = Environment(RUN / "venv")
    with only_one(RUN / "set-up.lock"):
        hosts = [pinned_host(version, environment) for version in RELEASES]
        _prepare(hosts, environment, [FOR_TESTS])  # at once with what CI needs next
    return check_peers(hosts, environment.python)


def _module(environment: Environment, host: Host, module: str, words: Sequence[str]) -> int:
    command = [str(environment.python), "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, env=one_thread(child_environment(host))).returncode


DRAWN_ONLY = (
    "Faces are found with dlib, which knows photographs. The lab's own face pack knows drawn people only: set the\n"
    "environment variable EDITEDID_FACE_PACK=lab to use it on them."
)


def _serve(options: argparse.Namespace, rest: Sequence[str]) -> int:
    require_port(options.port)
    if not options.comfyui and "EDITEDID_FACE_PACK" not in os.environ:
        os.environ["EDITEDID_FACE_PACK"] = "auto"
        say(DRAWN_ONLY)
    environment, host = _ready(options)
    _module(environment, host, "lab.demo_pictures", [str(BASE / "input")])
    add_opening(BASE)
    env = child_environment(host)
    say(f"Open http://127.0.0.1:{options.port} in a browser; Ctrl-C ends it.")
    command = server_command(str(environment.python), env, options.port, options.gpu, (OPENING,))
    return subprocess.run(command, cwd=BASE, env=env).returncode


def _weights(options: argparse.Namespace, rest: Sequence[str]) -> int:
    models = MODELS
    if options.comfyui:
        models = options.comfyui.resolve() / "models"
        if not models.is_dir():
            raise Failure(f"--comfyui {options.comfyui} has no models folder: give the folder that holds main.py.")
    say(f"The face mesh's weights are in {ensure_face_weights(models)} (Apache-2.0, MediaPipe).")
    return 0


def _test(options: argparse.Namespace, rest: Sequence[str]) -> int:
    environment = _environment(options)
    with only_one(RUN / "set-up.lock"):
        chosen = options.comfyui or options.host_version
        if chosen:
            hosts = [_host(options, environment)]
        else:
            hosts = [pinned_host(version, environment) for version in RELEASES]
        if options.front_end:
            hosts = [with_frontend(host, options.front_end) for host in hosts]
        _prepare(hosts, environment, [FOR_TESTS])
    more = [("peers", _peers_are_content)] if options.peers else []
    return Suite(environment, hosts, rest, more).run(options.ring or RINGS)


def _peers_are_content() -> bool:
    """Whether the peers are content, by a run.py of its own; what they say is shown where they are not."""
    log = LOGS / "peers.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as said:
        command = [sys.executable, str(ROOT / "run.py"), "peers"]
        env = {name: value for name, value in os.environ.items() if name != "CI"}  # the checkers have ways of their own
        content = subprocess.run(command, cwd=ROOT, env=env, stdout=said, stderr=subprocess.STDOUT).returncode == 0
    say(f"(see {log})" if content else log.read_text(encoding="utf-8", errors="replace"))
    return content
