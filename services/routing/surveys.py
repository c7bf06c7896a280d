"""Whom routing asks to take part in the survey (K3): who is written to by mail at the end of a case."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from contracts.model import Way
from kit.mongo import Document
from services.routing.context import Routing
from services.routing.questions import store
from services.routing.questions.letters import ways_to


async def links(routing: Routing, agency: str, cases: Iterable[Document], at: datetime) -> Mapping[UUID, str]:
    """Case → the address of its survey, for letters asked for at `at`, so that asking again gives the same.

    Left out are those without e-mail, and those with a question that is or was sealed: who complained or denounced is not
    asked how satisfied they are (D6).
    """
    reachable = {case["_id"] for case in cases if Way.EMAIL in ways_to(case)}
    asked = reachable - await store.cases_ever_sealed(routing.questions.collection, agency, reachable)
    until = at + timedelta(days=routing.settings.survey_link_days)
    base = f"{routing.settings.public_url}/{agency}/khao-sat"
    return {case: f"{base}/{routing.survey_links.token(agency, case, until)}" for case in asked}
