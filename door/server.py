"""A real ComfyUI server in a process of its own, and the few HTTP calls that run a prompt on it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .failure import Failure
from .paths import LOGS, PACK_NAME

FAREWELL = "Stopped server"
"""What the host writes when it has been asked to end; after it, it only empties its folder of temporary files."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def require_port(port: int) -> None:
    """Raise Failure when something listens on `port` already."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise Failure(f"Port {port} is taken: stop what uses it or choose another with --port.")


def server_command(python: str, env: Mapping[str, str], port: int, gpu: bool = False,
                   more_packs: Sequence[str] = ()) -> list[str]:
    """Command line of the host that `env` (see child_environment) describes, with this pack and `more_packs` alone."""
    command = [
        python,
        str(Path(env["EDITEDID_HOST"], "main.py")),
        "--listen",
        "127.0.0.1",
        "--port",
        str(port),
        "--base-directory",
        env["EDITEDID_BASE"],
        "--database-url",
        "sqlite:///:memory:",
        "--extra-model-paths-config",
        env["EDITEDID_MODEL_PATHS"],
        "--disable-api-nodes",
        "--disable-auto-launch",
        "--disable-all-custom-nodes",
        "--whitelist-custom-nodes",
        PACK_NAME,
        *more_packs,
        "--preview-method",
        "latent2rgb",
    ]
    return command if gpu else [*command, "--cpu"]


class Rejected(RuntimeError):
    """The server refused a prompt, or a node of it failed; the text is the host's own."""


class Server:
    """`with Server(python, env) as server:` boots a host on a free port and stops it at the end. `through`: a command
    that starts the one after it, as `nice` does."""

    def __init__(self, python: str, env: Mapping[str, str], gpu: bool = False, log_name: str = "server.log",
                 through: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base = Path(env["EDITEDID_BASE"])
        self.log = LOGS / log_name
        self._env = dict(env)
        self._command = [*through, *server_command(python, env, self.port, gpu)]

    def __enter__(self) -> Server:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        group = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if sys.platform == "win32"
            else {"start_new_session": True}
        )
        with self.log.open("w", encoding="utf-8") as log:  # cwd: the host writes a log file where it stands
            self._process = subprocess.Popen(
                self._command,
                cwd=self._env["EDITEDID_BASE"],
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                **group,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        self.stop()

    def _wait_until_ready(self, seconds: float = 180.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                raise Failure(f"ComfyUI stopped while starting ({''.join(last)}): see {self.log}.")
            try:
                self.get("/system_stats")
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        raise Failure(f"ComfyUI did not answer within {seconds:.0f} s: see {self.log}.")

    def stop(self, seconds: float = 15.0) -> None:
        """Ask the server to end as Ctrl-C would, and end it if it does not. Once it has said that it stopped, only
        Python's own taking down of modules is left, which takes many seconds: it has two."""
        deaf = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # as a shell leaves it to its background jobs
        ask = signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGTERM if deaf else signal.SIGINT
        self._process.send_signal(ask)
        end = time.monotonic() + seconds
        while self._process.poll() is None and time.monotonic() < end:
            if FAREWELL in self.log.read_text(encoding="utf-8", errors="replace"):
                end = min(end, time.monotonic() + 2)
            time.sleep(0.1)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def read(self, path: str, **query: str) -> bytes:
        address = f"{self.url}{path}{'?' + urllib.parse.urlencode(query) if query else ''}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return answer.read()

    def get(self, path: str, **query: str) -> Any:
        return json.loads(self.read(path, **query))

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            raise Rejected(refusal.read().decode(errors="replace")) from refusal

    def run(self, prompt: Mapping[str, Any], seconds: float = 600.0) -> dict[str, Any]:
        """Run an API-form prompt; returns outputs by node id. Raises Rejected with the host's own error."""
        prompt_id = self.post("/prompt", {"prompt": prompt})["prompt_id"]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry:
                if entry["status"]["status_str"] != "success":
                    raise Rejected(_reason(entry["status"]["messages"]))
                return entry["outputs"]
            time.sleep(0.1)
        raise Rejected(f"no result within {seconds:.0f} s")

    def image(self, shown: Mapping[str, str]) -> bytes:
        """File content of an image as the outputs name it."""
        return self.read("/view", filename=shown["filename"], subfolder=shown["subfolder"], type=shown["type"])


def _reason(messages: list[Any]) -> str:
    for kind, detail in messages:
        if kind == "execution_error":
            return f"{detail['node_type']}: {detail['exception_message'].strip()}"
        if kind == "execution_interrupted":
            return "interrupted"
    return "the server gave no reason"


def from_environment(**options: Any) -> Server:
    """A server of the host that run.py prepared for this process."""
    if "EDITEDID_HOST" not in os.environ:
        raise Failure("No host is prepared: start this through run.py.")
    return Server(sys.executable, os.environ, **options)
