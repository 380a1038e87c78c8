import pytest

from containers import IMAGE, Host, until
from load import status_of

FIGURES = pytest.StashKey()


def pytest_configure(config):
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[FIGURES]:
        terminalreporter.section(f"figures of {IMAGE}")
        for line in config.stash[FIGURES]:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def figure(pytestconfig):
    """Note a measured figure for the end of the output."""
    return pytestconfig.stash[FIGURES].append


@pytest.fixture(scope="session")
def host():
    host = Host()
    yield host
    host.close()


@pytest.fixture(scope="session")
def ready():
    """Wait until a gateway is ready."""

    def wait(gateway, limit=60):
        url = gateway.url(8081) + "/readyz"
        until(lambda: status_of(url) == 200, limit=limit, what=f"{gateway.logs()}")
        return gateway

    return wait


@pytest.fixture(scope="session")
def reliable(host):
    """An upstream that always sends intact documents, after 20 ms."""
    return host.start_simulator("--mix=png=60,pdf=40", "--latency=20ms")
