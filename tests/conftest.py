"""Real Kafka, real MongoDB, a real browser for the tests that need them: started when the first asks, ended with the session."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from playwright.async_api import Browser, async_playwright

from deploy.local.stack import ENV_PREFIX, LocalStack
from kit.service import calm_collector
from services.intake.settings import IntakeSettings
from tests.browser.visiting import ELSEWHERE
from tests.stack import QUICK, start_everything

# As services have it: what is imported stays, and to walk through it again and again took a sixth of the processor's time.
calm_collector()

# How fast the machine is at the moment is no property of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Everybody in a test comes from one address: all is counted, and nobody refused but where a test is about that.
for rate in (name for name in IntakeSettings.model_fields if name.startswith("rate_")):
    os.environ[ENV_PREFIX + rate.upper()] = "1000000/minute"

# Forms are sent without a proof of work, and nobody has to release them, but where a test is about that.
os.environ[ENV_PREFIX + "PROOF_COST"] = "0"


MEMORY, ROOM = Path("/dev/shm"), 4 << 30  # noqa: S108 - a directory of its own is made in it

LONG = (
    "integration/test_demo.py",
    "integration/test_monitoring.py",
    "browser/test_people.py",
    "integration/test_bad_input.py",
    "integration/test_mailbox.py",
    "browser/test_pages.py",
    "integration/test_consumer.py",
    "integration/test_routing_desk.py",
    "unit/test_monitoring.py",
    "unit/test_mailbox_reading.py",
    "unit/test_documents.py",
    "browser/test_proof.py",
)
"""Files that take longest, begun with: one that begins last has a processor to itself at the end, and the other is idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {Path(__file__).parent / name: n for n, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path, len(LONG)))


def pytest_collection_finish() -> None:
    """All tests have been imported."""
    calm_collector()


@pytest.fixture(scope="session")
def infrastructure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack of the session's own, in a temporary directory and on free ports; empty until something is asked of it.

    In memory where there is room: nobody takes the power away in a test, and a disk makes every write wait for it.
    """
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    where = MEMORY if roomy else tmp_path_factory.mktemp("stack")
    with (
        tempfile.TemporaryDirectory(prefix="doithoai-test-", dir=where, ignore_cleanup_errors=True) as state,
        LocalStack(Path(state)) as stack,
    ):
        yield stack


@pytest.fixture(scope="module")
def whole_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Everything as `doithoai up` starts it, for one file: left running it takes a quarter of a processor."""
    with LocalStack(tmp_path_factory.mktemp("whole")) as stack:
        start_everything(stack, QUICK)
        yield stack


@pytest.fixture(scope="session")
def kafka_bootstrap(infrastructure: LocalStack) -> str:
    """`host:port` of a real Kafka without topics; a test creates those that it needs, with names of its own."""
    infrastructure.start(kafka=True)
    return infrastructure.kafka_bootstrap


@pytest.fixture(scope="session")
def mongodb_url(infrastructure: LocalStack) -> str:
    """URL of a real MongoDB replica set; a test uses databases with names of its own."""
    infrastructure.start(mongodb=True)
    return infrastructure.mongodb_url


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, as the distribution has it."""
    async with async_playwright() as playwright:
        args = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"]
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=args)
        yield browser
        await browser.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screens", type=Path, help="Directory for pictures of every page that is judged, on a phone and on a desk")


@pytest.fixture(scope="session")
def screens(request: pytest.FixtureRequest) -> Path | None:
    """Where pictures of the pages go, if anybody wants them (`make screens`)."""
    chosen: Path | None = request.config.getoption("--screens")
    return chosen
