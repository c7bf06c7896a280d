"""What came with a registration: seen beside the question, handed out to be saved, to those who may read it.

Files belong to the registration as a whole. Where one of its questions is sealed, any of them may be about that one: they are for
the named readers then (D6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from contracts.model import FileRef
from kit.auth import Session
from kit.errors import Forbidden, NotFound
from kit.mongo import Document
from kit.web.downloads import download
from services.routing.questions import store, usecases
from services.routing.questions.pages.desk import SEES_ALL_UNITS, AtDesk, Desk, NamedReader, OpensCases
from services.routing.questions.states import is_feedback


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as a page lists it; `id` is the last part of its address."""

    id: str
    name: str
    size: int


def router(desk: Desk) -> APIRouter:
    """The routes of this file: below the page on which the file is listed, with that page's readers."""
    routes = APIRouter()

    @routes.get("/phieu/{case_id}/tep/{file_id}")
    async def of_case(session: OpensCases, case_id: UUID, file_id: UUID) -> Response:
        if not (session.has(*SEES_ALL_UNITS) or is_feedback(await store.case(desk.cases, session.agency, case_id))):
            raise Forbidden("the control unit opens feedback alone")
        return await _hand_out(desk, session, case_id, file_id)

    @routes.get("/noi-dung/{question_id}/tep/{file_id}")
    async def of_question(session: AtDesk, question_id: UUID, file_id: UUID) -> Response:
        question = await desk.question(session, question_id)
        return await _hand_out(desk, session, question["case"], file_id)

    @routes.get("/han-che/{question_id}/tep/{file_id}")
    async def of_sealed(session: NamedReader, question_id: UUID, file_id: UUID) -> Response:
        question = await usecases.open_sealed(desk.routing, desk.acting(session), desk.who(session), question_id)
        return await _hand_out(desk, session, question["case"], file_id)

    return routes


async def attachments(desk: Desk, session: Session, case: Document) -> Sequence[Attachment]:
    """The files of a case for a page that this person may see."""
    if not case.get("files") or not await _may_read(desk, session, case["_id"]):
        return ()
    return [Attachment(_id_of(file), file["name"], file["size"]) for file in case["files"]]


async def _hand_out(desk: Desk, session: Session, case_id: UUID, file_id: UUID) -> Response:
    case = await store.case(desk.cases, session.agency, case_id)
    found = next((file for file in case.get("files", ()) if _id_of(file) == str(file_id)), None)
    if found is None or not await _may_read(desk, session, case_id):
        raise NotFound("file")
    file = FileRef.model_validate(found)
    return download(await desk.routing.files.get(file), file.name)


async def _may_read(desk: Desk, session: Session, case_id: UUID) -> bool:
    if session.may_read_sealed:
        return True
    questions = await store.questions_of_case(desk.questions, session.agency, case_id, sealed=True)
    return not any(question["sealed"] for question in questions)


def _id_of(file: Document) -> str:
    return str(file["key"]).rsplit("/", 1)[-1]
