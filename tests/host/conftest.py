"""One real host in each worker's process for all tests that run there, with a base directory of its own."""

import os
from pathlib import Path

import pytest

from door.hosts import prepare_base
from lab.inprocess import Host


@pytest.fixture(scope="session")
def host() -> Host:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        base = Path(os.environ["EDITEDID_BASE"]) / worker
        prepare_base(base)
        os.environ["EDITEDID_BASE"] = str(base)
    return Host.start()
