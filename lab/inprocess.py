"""A real ComfyUI in this process, on the CPU: its nodes, validation and executor; only the sockets are missing.

    host = Host.start()                 # once per process
    outputs = host.run(prompt)          # API form; raises HostError with the host's own words
    loader = host.node("CheckpointLoaderSimple")

run.py says which host and where its base directory is, in the environment (door.hosts.child_environment).
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class HostError(RuntimeError):
    """A prompt that the host refused, failed or interrupted; `node_id` names the node where it knows one."""

    def __init__(self, message: str, kind: str = "", node_id: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.node_id = node_id


class Host:
    """One host per process: it keeps its state in modules, and so does this process once it has started."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: Any, executor: Any, version: str) -> None:
        self.version = version
        self.events: list[tuple[str, Any]] = []
        self._loop = loop
        self._server = server
        self._executor = executor
        server.send_sync = lambda event, data, sid=None: self.events.append((event, data))

    @classmethod
    def start(cls, path: Path | None = None, base: Path | None = None) -> Host:
        """Import the host at `path` over the base directory `base` (default: those that run.py prepared)."""
        if path is None or base is None:
            if "EDITEDID_HOST" not in os.environ:
                raise RuntimeError("No host is prepared: start this through run.py (test or bench).")
            path, base = Path(os.environ["EDITEDID_HOST"]), Path(os.environ["EDITEDID_BASE"])
        _import_settings(path, base)
        import torch

        torch.set_num_threads(1)  # tiny models: more threads only wait for each other
        importlib.import_module("app.logger").setup_logger(log_level="WARNING")
        # Before `nodes`, which puts <host>/comfy on sys.path, whose utils.py hides the host's utils package.
        extra_config = importlib.import_module("utils.extra_config")
        if "EDITEDID_MODEL_PATHS" in os.environ:
            extra_config.load_extra_path_config(os.environ["EDITEDID_MODEL_PATHS"])
        execution, nodes, server = (
            importlib.import_module(name) for name in ("execution", "nodes", "server")
        )
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        prompt_server = server.PromptServer(loop)  # nothing listens
        prompt_server.client_id = None
        loop.run_until_complete(nodes.init_extra_nodes(init_custom_nodes=True, init_api_nodes=False))
        executor = execution.PromptExecutor(
            prompt_server,
            cache_type=execution.CacheType.CLASSIC,
            **_cache_arguments(execution.PromptExecutor),
        )
        return cls(loop, prompt_server, executor, importlib.import_module("comfyui_version").__version__)

    def node(self, node_id: str) -> Any:
        """The class of a node; KeyError when no pack brought it."""
        return importlib.import_module("nodes").NODE_CLASS_MAPPINGS[node_id]

    def node_ids(self) -> list[str]:
        return sorted(importlib.import_module("nodes").NODE_CLASS_MAPPINGS)

    def run(self, prompt: Mapping[str, Any]) -> dict[str, Any]:
        """Validate and run an API-form prompt; returns what output nodes show, by node id. Raises HostError."""
        execution = importlib.import_module("execution")
        self.events.clear()
        prompt_id = str(uuid.uuid4())
        valid, error, outputs, node_errors = self._loop.run_until_complete(
            execution.validate_prompt(prompt_id, prompt, None)
        )
        if not valid:
            node_id, detail = next(iter(node_errors.items()), (None, None))
            reasons = detail["errors"] if detail else [error]
            text = "; ".join(f"{reason['message']}: {reason['details']}" for reason in reasons)
            raise HostError(text, "prompt_refused", node_id)
        self._loop.run_until_complete(
            self._executor.execute_async(prompt, prompt_id, {"client_id": "in-process"}, outputs)
        )
        for event, data in self._executor.status_messages:
            if event == "execution_error":
                raise HostError(data["exception_message"].strip(), data["exception_type"], data["node_id"])
            if event == "execution_interrupted":
                raise HostError("interrupted", event, data["node_id"])
        return self._executor.history_result["outputs"]

    def forget(self) -> None:
        """Drop every cached node result and loaded model, as the host's /free does."""
        self._executor.reset()
        management = importlib.import_module("comfy.model_management")
        management.unload_all_models()
        management.soft_empty_cache()


def _import_settings(path: Path, base: Path) -> None:
    """Put the host first and this clone last on sys.path (both have `nodes`); let it parse its arguments."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    clone = {"", str(ROOT), str(Path.cwd())} if Path.cwd() == ROOT else {str(ROOT)}
    sys.path[:] = [str(path), *(entry for entry in sys.path if entry not in clone), str(ROOT)]
    arguments = sys.argv
    sys.argv = [
        "comfyui",
        "--cpu",
        "--base-directory",
        str(base),
        "--database-url",
        "sqlite:///:memory:",
        "--disable-api-nodes",
        "--disable-auto-launch",
    ]
    try:
        importlib.import_module("comfy.options").enable_args_parsing()
        importlib.import_module("comfy.cli_args")
    finally:
        sys.argv = arguments


def _cache_arguments(executor: type) -> dict[str, Any]:
    """A cache that keeps exactly the last prompt's results; hosts before 0.2x name its size otherwise."""
    if "cache_args" in inspect.signature(executor.__init__).parameters:
        return {"cache_args": {"lru": 0, "ram": 0, "ram_inactive": 0}}
    return {"cache_size": 0}
