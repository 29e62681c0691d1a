"""One sentence for each thing that can go wrong, and the reading of pip's output that finds it."""

from __future__ import annotations

import shutil
from pathlib import Path

NO_SPACE = ("No space left on device", "Errno 28", "WinError 112")
NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "Name or service not known",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "Network is unreachable",
    "Connection refused",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Max retries exceeded",
    "ProxyError",
    "ConnectionResetError",
    "Connection broken",
)
NO_BUILD = ("No matching distribution found for", "Could not find a version that satisfies")
BAD_HASH = ("DO NOT MATCH THE HASHES", "Hashes are required")


class Failure(Exception):
    """Ends the command; its text is the one sentence that the user reads."""


def no_space(folder: Path) -> Failure:
    return Failure(f"The disk is full ({folder}): free about 12 GB and run the same command again.")


def require_space(folder: Path, gigabytes: float) -> None:
    """Raise Failure when the disk of `folder` has less than `gigabytes` GB left."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise Failure(
            f"This needs {gigabytes:.0f} GB of disk in {folder}, and {free:.1f} GB are free: "
            "make room or set EDITEDID_CACHE to another disk."
        )


def from_pip(output: str, log: Path) -> Failure:
    """The sentence for a failed pip run, found in what it printed."""
    if any(sign in output for sign in NO_SPACE):
        return no_space(log.parent)
    if any(sign in output for sign in NO_NETWORK):
        return Failure(
            "The package index cannot be reached: connect to the network (or set your mirror in pip's "
            f"configuration) and run the same command again (details: {log})."
        )
    if any(sign in output for sign in BAD_HASH):
        return Failure(f"A downloaded file is not the one expected (wrong sha256), so it was not used: see {log}.")
    for line in output.splitlines():
        if any(sign in line for sign in NO_BUILD):
            return Failure(f"pip found no package for this Python and system ({line.strip()}): see {log}.")
    errors = [line.strip() for line in output.splitlines() if "ERROR" in line or "error:" in line]
    return Failure(f"pip failed ({errors[-1] if errors else 'no reason given'}): see {log}.")
