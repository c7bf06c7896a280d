"""What `make bench-growth` opens is every page that could grow; what memory may take is judged."""

from uuid import UUID

from bench import memory
from bench.growth import LEFT_OUT, Known, pages
from tests.browser.pages import NO_PAGES, route_of, routes

AN_ID = UUID("5b5d1c1e-7a9e-5c8e-9a50-1f1f0a6a3c01")
OPENED = pages(Known(AN_ID, AN_ID, "SL-2026-000001", "a" * 40, AN_ID, "AAAA-BBBB-CCCC-DDDD"))


def test_every_page_is_opened_or_left_out_for_a_reason() -> None:
    opened = {route.path for page in OPENED if (route := route_of(page.path)) is not None}
    there = {route.path for route in routes()}
    assert there - opened - LEFT_OUT.keys() - NO_PAGES.keys() == set()
    assert LEFT_OUT.keys() <= there
    assert LEFT_OUT.keys() & opened == set()


def test_what_is_opened_is_a_page_of_its_service() -> None:
    found = {page.path: route_of(page.path) for page in OPENED}
    assert [page.path for page in OPENED if (route := found[page.path]) is None or route.service.value != page.service] == []


def test_memory_beyond_its_limit_is_said() -> None:
    result = {"earlier": 10, "later": 100, "limit": 1.2, "megabytes": {"intake": [100.0, 120.0], "routing": [100.0, 121.0]}}
    assert [line.partition(":")[0] for line in memory.over(result)] == ["routing"]
