"""What the profile of a POST calls a layer is what the code does there."""

from collections.abc import Callable
from typing import Any

import pytest

from bench import intake, profile, results
from kit.kafka import KafkaPublisher
from kit.limits import Limits
from kit.outbox import Outbox, Relay
from kit.web.middleware import Measured
from services.intake import api, forms, usecases
from services.intake.groupcommit import GroupCommit

LOOP = "run (uvloop/__init__.py:1);Runner.run (asyncio/runners.py:118)"


def frame(function: Callable[..., Any]) -> str:
    """As py-spy writes it."""
    return f"{function.__qualname__} ({function.__module__.replace('.', '/')}.py:1)"


@pytest.mark.parametrize(
    ("function", "layer"),
    [
        (Measured.__call__, profile.AROUND),
        (Limits.count, profile.AROUND),
        (api.body_of, profile.BODY),
        (forms.RegistrationInput.submission, profile.BODY),
        (usecases.register, profile.HANDLER),
        (Outbox.new, profile.HANDLER),
        (intake.plain_application, profile.HANDLER),
        (Outbox.event, profile.RENDERING),
        (Relay._round, profile.RENDERING),
        (GroupCommit._insert, profile.MONGODB),
        (KafkaPublisher.publish_all, profile.KAFKA),
    ],
)
def test_a_function_belongs_to_its_layer_with_what_it_calls(function: Callable[..., Any], layer: str) -> None:
    called = "BaseModel.model_validate (pydantic/main.py:9);<genexpr> (re/__init__.py:1)"
    assert profile.layer_of(f"{LOOP};Route.handle (starlette/routing.py:1);{frame(function)};{called}") == layer


def test_samples_are_summed_by_layer() -> None:
    folded = f"{LOOP} 2\n{LOOP};{frame(usecases.register)};encode (bson/__init__.py:1) 5\n_wait (threading.py:3) 1\n"
    found = profile.shares(folded)
    assert list(found) == list(profile.LAYERS)
    expected = {profile.HTTP: 0.25, profile.MONGODB: 0.625, profile.OTHER: 0.125}
    assert {layer: part for layer, part in found.items() if part} == expected


def test_the_table_says_what_a_ratio_of_two_would_leave() -> None:
    us = {"ours": {"a": 100.0, "b": 300.0}, "plain": {"a": 90.0, "b": 210.0}}
    table = results.profile_table({"us": us, "necessary": 100.0})
    assert "| **together** | **400** | **300** |" in table
    assert "leave 150 µs" in table
    assert "take 100, every duty 300 more" in table
