"""The main job as `doithoai demo` does it: every step of its journey, on the whole stack, with its own state and clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.demo.checks import Checks
from cli.demo.command import stack_for_demo
from cli.demo.context import Demo
from cli.demo.journey import STEPS, Step, demo_on
from tests.stack import start_everything

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    state: Path = tmp_path_factory.mktemp("demo")
    stack, clock = stack_for_demo(state)
    with stack:
        start_everything(stack)
        made = demo_on(stack, clock)
        yield made
        made.close()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.run.__name__)
def test_a_step_of_the_main_job(demo: Demo, step: Step) -> None:
    """In their order: each goes on from where the one before has ended."""
    before = len(demo.checks.failures)
    step.run(demo)
    assert not [str(failure) for failure in demo.checks.failures[before:]]


def test_a_check_that_fails_says_what_was_expected_and_what_was_seen() -> None:
    checks = Checks()
    checks.equal("cases", 3, 2)
    checks.contains("the page", "Đã tiếp nhận", "Đã tiếp nhận", "mã tra cứu")
    checks.lacks("the page", "Lò Văn Thử", "Lò Văn Thử")
    checks.equal("cases", 3, 3)
    assert (checks.done, len(checks.failures)) == (4, 3)
    assert str(checks.failures[0]) == "cases: expected 3, saw 2"
    assert "mã tra cứu" in str(checks.failures[1])
