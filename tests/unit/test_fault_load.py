"""The load of the fault tests: what its checker takes for granted about what it sends."""

import pytest

from deploy.local.paths import ROOT
from kit.agency import load_agencies
from services.routing.questions.registrations import classified
from tests.faults.desk import ASSIGNERS, CATCH_ALL
from tests.faults.load import MORE, SECTIONS, TEXTS

AGENCIES = load_agencies(ROOT / "agencies")


@pytest.mark.parametrize("agency", SECTIONS)
@pytest.mark.parametrize("text", TEXTS)
def test_an_amended_text_stays_where_the_rules_put_it(agency: str, text: str) -> None:
    for section in range(1, SECTIONS[agency] + 1):
        assert _place(agency, section, text) == _place(agency, section, text + MORE)


def _place(agency: str, section: int, text: str) -> tuple[str, object]:
    found = classified(AGENCIES[agency], section, text)
    return found.state.value, (found.proposal or {}).get("unit")


@pytest.mark.parametrize("agency", SECTIONS)
def test_the_desks_are_those_of_the_profiles(agency: str) -> None:
    assert AGENCIES[agency].assign_by.value == ASSIGNERS[agency]
    assert set(CATCH_ALL) <= {unit.code for unit in AGENCIES[agency].units}
