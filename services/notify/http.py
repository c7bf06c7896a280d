"""The office's pages about letters: overview, ledger, letters to print, calls to make, what waits for a decision.

Every act is a POST with the session's token; a GET changes nothing. Names, addresses and numbers are shown to the office
alone, and only while a letter is open.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field, ValidationError

from contracts.model import FileRef, LetterKind
from kit.acting import Acting
from kit.auth import READ_SEALED, Role, Session
from kit.clock import local_date
from kit.errors import Invalid, NotFound
from kit.files import FileStore
from kit.mongo import Document
from kit.web import AgencyFace, Input, Submitted, Templates, current_trace, read_form, staff
from kit.web.forms import FormDate, Line
from services.notify import labels, usecases
from services.notify import wording as words_of
from services.notify.domain import CALL_RESULTS, FOR_STAFF, CallResult, Row, State
from services.notify.papers import Papers, call_script
from services.notify.store import PAGE, Filters, Reader
from services.notify.usecases import Desk
from services.notify.wording import House, Words

Office = Annotated[Session, Depends(staff(Role.OFFICE, permission=READ_SEALED))]
"""The office; and the named readers of sealed questions, who see the letters about these alone unless they are the office too."""

_TO_PRINT = (State.TO_PRINT, State.PRINTED)
_LISTS = ("can-in", "can-goi", "can-xu-ly")
"""Where an act may lead back to."""


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages are made from."""

    desk: Desk
    templates: Templates
    faces: Callable[[str], AgencyFace | None]
    houses: Mapping[str, House]
    words: Words
    papers: Papers
    files: FileStore

    def acting(self, session: Session) -> Acting:
        return Acting(session.agency, session.username, self.desk.clock(), current_trace())

    async def opened(self, session: Session, _id: str) -> Row:
        """A letter that this person may see; `NotFound` for any other."""
        return await self.desk.ledger.opened(_id, _reader(session), session.username, self.desk.clock())

    def page(self, request: Request, session: Session, name: str, **context: Any) -> HTMLResponse:
        return self.templates.page(request, name, agency=self.faces(session.agency), labels=labels, **context)


def _reader(session: Session) -> Reader:
    return Reader(session.agency, usual=session.has(Role.OFFICE), sealed=session.may_read_sealed)


class Act(Input):
    """`ve` is the list that the button stands in."""

    ve: Line = ""


class Posted(Act):
    """The post book's entry."""

    required = {"number": "Xin ghi số trong sổ gửi bưu điện.", "on": "Xin ghi ngày gửi."}

    number: Annotated[Line, Field(max_length=40)]
    on: FormDate


class Called(Act):
    required = {"result": "Xin chọn kết quả cuộc gọi."}

    result: CallResult


class Reason(Act):
    required = {"reason": "Xin ghi lý do."}

    reason: Annotated[Line, Field(max_length=200)]


def router(pages: Pages) -> APIRouter:
    """The addresses below `/{agency}/van-thu`."""
    api = APIRouter(prefix="/{agency}/van-thu", include_in_schema=False)
    _add_lists(api, pages)
    _add_papers(api, pages)
    _add_acts(api, pages)
    return api


def _add_lists(api: APIRouter, pages: Pages) -> None:
    ledger = pages.desk.ledger

    @api.get("")
    async def without_slash(agency: str) -> Response:
        return RedirectResponse(f"/{agency}/van-thu/", 308)

    @api.get("/")
    async def overview(request: Request, session: Office) -> Response:
        counts = await ledger.counts(_reader(session))
        rows, _ = await ledger.page(_reader(session), Filters())
        return pages.page(request, session, "overview.html", counts=counts, rows=rows[:10])

    @api.get("/so-gui")
    async def ledger_page(
        request: Request,
        session: Office,
        trang_thai: str = "",
        loai: str = "",
        doi_thoai: str = "",
        phieu: str = "",
        truoc: str = "",
    ) -> Response:
        values = {"trang_thai": trang_thai, "loai": loai, "doi_thoai": doi_thoai, "phieu": phieu.strip()}
        rows, before = await ledger.page(_reader(session), _filters(values, truoc))
        kept = urlencode({name: value for name, value in {**values, "truoc": before}.items() if value})
        return pages.page(
            request, session, "ledger.html", rows=rows, values=values, next=f"?{kept}" if before else "", first=not truoc
        )

    @api.get("/can-in")
    async def to_print(request: Request, session: Office) -> Response:
        rows = await ledger.with_content(_reader(session), _TO_PRINT)
        today = local_date(pages.desk.clock()).isoformat()
        return pages.page(request, session, "to_print.html", rows=rows, full=len(rows) == PAGE, today=today)

    @api.get("/can-goi")
    async def to_call(request: Request, session: Office) -> Response:
        rows = await ledger.with_content(_reader(session), (State.TO_PHONE,))
        calls = [(row, _script(pages, row)) for row in rows]
        return pages.page(request, session, "to_call.html", calls=calls, full=len(rows) == PAGE, results=CALL_RESULTS.items())

    @api.get("/can-xu-ly")
    async def for_staff(request: Request, session: Office) -> Response:
        rows = await ledger.with_content(_reader(session), FOR_STAFF)
        return pages.page(request, session, "for_staff.html", rows=rows, full=len(rows) == PAGE)

    @api.get("/thu/{_id}")
    async def letter(request: Request, session: Office, _id: str) -> Response:
        return _letter_page(pages, request, session, await pages.opened(session, _id))


def _letter_page(
    pages: Pages,
    request: Request,
    session: Session,
    row: Row,
    *,
    status: int = 200,
    values: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> HTMLResponse:
    return pages.page(
        request,
        session,
        "letter.html",
        status=status,
        row=row,
        acts=labels.acts(row),
        results=CALL_RESULTS.items(),
        values=values or {"on": local_date(pages.desk.clock()).isoformat()},
        errors=errors or {},
    )


def _filters(values: Mapping[str, str], before: str) -> Filters:
    """Unknown values filter nothing: the address may have been typed."""
    states: Sequence[State] = labels.GROUPS.get(values["trang_thai"], ("", ()))[1]
    kind = values["loai"] if values["loai"] in LetterKind.__members__.values() else ""
    return Filters(states, kind, values["doi_thoai"][:100], values["phieu"][:40], before)


def _script(pages: Pages, row: Document) -> tuple[str, ...]:
    request = words_of.Request.of(row)
    house = pages.houses[row["agency"]]
    return call_script(request, pages.words.word(request, house, on_paper=True), house)


def _add_papers(api: APIRouter, pages: Pages) -> None:
    @api.get("/thu/{_id}/thu.pdf")
    async def paper(session: Office, _id: str) -> Response:
        """The letter on paper, dated today."""
        request, house = await _open_request(pages, session, _id)
        wording = pages.words.word(request, house, on_paper=True)
        today = local_date(pages.desk.clock())
        return _pdf(await asyncio.to_thread(pages.papers.letter, request, wording, house, today))

    @api.get("/thu/{_id}/phieu.pdf")
    async def slip(session: Office, _id: str) -> Response:
        """The personal slip of an invitation."""
        request, house = await _open_request(pages, session, _id)
        return _pdf(await asyncio.to_thread(pages.papers.slip, request, house))

    @api.get("/thu/{_id}/tep/{n}")
    async def enclosed(session: Office, _id: str, n: int) -> Response:
        """A file that goes with the letter: the signed giấy mời, the notice."""
        request, _ = await _open_request(pages, session, _id)
        if not 0 <= n < len(request.files):
            raise NotFound("file")
        file: FileRef = request.files[n]
        headers = {} if file.media_type == "application/pdf" else {"Content-Disposition": "attachment"}
        return Response(await pages.files.get(file), media_type=file.media_type, headers=headers)


async def _open_request(pages: Pages, session: Session, _id: str) -> tuple[words_of.Request, House]:
    """What an open letter says. `NotFound` for a settled one: its content is gone."""
    row = await pages.opened(session, _id)
    if "content" not in row:
        raise NotFound("content")
    try:
        return words_of.Request.of(row), pages.houses[session.agency]
    except ValidationError:
        raise NotFound("content") from None


def _pdf(content: bytes) -> Response:
    return Response(content, media_type="application/pdf")


def _add_acts(api: APIRouter, pages: Pages) -> None:
    @api.post("/thu/{_id}/{act}")
    async def act(request: Request, session: Office, _id: str, act: str) -> Response:
        """One act on one letter, then back to the list it was done from."""
        submitted = await read_form(request)
        row = await pages.opened(session, _id)
        try:
            await _do(pages.desk, pages.acting(session), _id, act, submitted)
        except Invalid as error:
            return _letter_page(pages, request, session, row, status=422, values=submitted.values, errors=error.errors)
        back = submitted.values.get("ve", "")
        return RedirectResponse(f"/{session.agency}/van-thu/{back if back in _LISTS else f'thu/{_id}'}", 303)


async def _do(desk: Desk, acting: Acting, _id: str, act: str, submitted: Submitted) -> None:
    """The act of an address. Raises `Invalid`, `Conflict` when the letter has moved on, `NotFound`."""
    match act:
        case "da-in":
            await usecases.mark_printed(desk, acting, _id)
        case "da-gui":
            posted = submitted.parse(Posted)
            await usecases.mark_posted(desk, acting, _id, posted.number, posted.on)
        case "da-goi":
            await usecases.mark_phoned(desk, acting, _id, submitted.parse(Called).result)
        case "gui-lai":
            await usecases.send_again(desk, acting, _id)
        case "qua-buu-dien":
            await usecases.by_post(desk, acting, _id)
        case "qua-dien-thoai":
            await usecases.by_phone(desk, acting, _id)
        case "thoi":
            await usecases.give_up(desk, acting, _id, submitted.parse(Reason).reason)
        case "da-den":
            await usecases.confirm_sent(desk, acting, _id)
        case "bi-tra-lai":
            await usecases.mark_returned(desk, acting, _id, submitted.parse(Reason).reason)
        case _:
            raise NotFound("act")
