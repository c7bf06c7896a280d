"""What the OpenAPI document says of each operation is what the service does: schemathesis asks it whatever the document
allows, and much that it does not.
"""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import SecretStr
from schemathesis import Case

from services.intake.bootstrap import bootstrap
from services.intake.settings import IntakeSettings
from tests.intake import PLAN, running_intake
from tests.stack import served

pytestmark = pytest.mark.stack
EXAMPLES = 100
CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 20260310,
        "checks": {
            # Which sections a form has, and what of it is required, the agency's file decides: 422 says so.
            "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422"]},
        },
    }
)


def document() -> dict[str, object]:
    secret = SecretStr("x" * 40)
    return bootstrap(IntakeSettings(session_secret=secret, code_secret=secret))[0].openapi()


schema = schemathesis.openapi.from_dict(document(), config=CONFIG)
"""Read from the document alone, so that an operation that is added is judged without a word here."""


@pytest.fixture(scope="module")
def site(mongodb_url: str) -> Iterator[str]:
    """The address of intake. It runs in a thread: schemathesis waits for its answers."""
    ready, done = Future[str](), threading.Event()

    async def serve() -> None:
        async with running_intake(mongodb_url) as intake, served(intake.app) as address:
            ready.set_result(address)
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    yield ready.result(timeout=30)
    done.set()
    thread.join()


@schema.parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
def test_any_request(case: Case, site: str) -> None:
    """Whatever is sent, to any agency: hardly any is one of ours."""
    case.call_and_validate(base_url=site)


@schema.parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
def test_a_request_about_what_there_is(case: Case, site: str) -> None:
    """The same to an agency and about a plan of ours, so that it comes further."""
    case.path_parameters["agency"] = "son-la"
    if isinstance(case.body, dict) and isinstance(case.body.get("plan"), str):
        case.body["plan"] = PLAN
    case.call_and_validate(base_url=site)
