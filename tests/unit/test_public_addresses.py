"""No personal data in any URL: what people type travels in the body of a POST."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr

from deploy.local.paths import ROOT
from services.intake.bootstrap import bootstrap
from services.intake.settings import IntakeSettings

SEARCHES = ("hoi-dap", "thu-tuc")
"""What is searched there is public, and so is what is looked for."""
PERIODS = "tiep-nhan/khao-sat/y-kien"
"""Staff choose a period and a unit there."""
CODES = re.compile(r"^(da|trang|nam|muc|linh-vuc|linh_vuc|year|page)$")
"""What a page of a list or a sentence about what was done is named by: words of ours and numbers."""


def public_gets() -> Iterator[APIRoute]:
    """Routes of intake that anybody may GET."""
    app, _, _ = bootstrap(IntakeSettings(session_secret=SecretStr("s" * 40), code_secret=SecretStr("c" * 40)))
    for route in _all(app.routes):
        if "GET" in (route.methods or ()) and "/tiep-nhan" not in route.path:
            yield route


def _all(routes: Iterable[Any]) -> Iterator[APIRoute]:
    """Routes, those of included routers too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (included := getattr(route, "original_router", None)) is not None:
            yield from _all(included.routes)


def test_public_addresses_take_no_typed_text() -> None:
    routes = list(public_gets())
    assert len(routes) >= 10
    for route in routes:
        if any(f"/{search}" in route.path for search in SEARCHES):
            continue
        taken: list[Any] = route.dependant.query_params
        assert all(CODES.match(parameter.alias) for parameter in taken), route.path


@pytest.mark.parametrize("template", sorted((ROOT / "services" / "intake").rglob("templates/**/*.html")), ids=lambda p: p.name)
def test_a_public_form_is_a_post(template: Any) -> None:
    for tag in re.findall(r"<form\b[^>]*>", template.read_text(encoding="utf-8")):
        search = any(f"/{name}" in tag for name in SEARCHES)
        period = f"/{PERIODS}" in tag
        assert 'method="post"' in tag or search or period, tag
        assert "?" not in re.sub(r"\{\{.*?\}\}", "", tag), tag
