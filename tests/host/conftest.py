"""One real host in this process for all tests of the ring."""

import pytest

from lab.inprocess import Host


@pytest.fixture(scope="session")
def host() -> Host:
    return Host.start()
