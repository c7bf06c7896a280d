"""The staff desk for cases and questions, below `/{agency}/can-bo/`. A GET changes nothing; every act is a POST."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from contracts.model import CaseStatus, QuestionState
from kit.acting import Acting
from kit.auth import READ_SEALED, Role, Session
from kit.clock import local_date
from kit.errors import Conflict, Forbidden, Invalid, NotFound
from kit.mongo import Document
from kit.tracing import current_trace
from kit.web.faces import face_of
from kit.web.forms import FormDate, Input, Line, Text, read_form
from kit.web.guard import staff
from kit.web.rendering import Templates
from services.routing.context import Routing
from services.routing.dialogues import store as dialogue_store
from services.routing.questions import acts, domain, store, usecases, views, words
from services.routing.questions.domain import Who
from services.routing.questions.store import PAGE, Queue

State = QuestionState
PRINTED = 1_000
"""Most rows of a printed list; it says when there are more."""
CANDIDATES = 100

AtDesk = Annotated[Session, Depends(staff(Role.OFFICE, Role.OFFICER, Role.HEAD, Role.LEADERSHIP))]
Anybody = Annotated[Session, Depends(staff())]
Office = Annotated[Session, Depends(staff(Role.OFFICE))]
Assigning = Annotated[Session, Depends(staff(Role.OFFICE, Role.LEADERSHIP))]
Named = Annotated[Session, Depends(staff(permission=READ_SEALED))]

WORKED_ON: dict[Role, tuple[State, ...]] = {
    Role.OFFICE: (State.TRIAGE, State.PROPOSED, State.RETURNED, State.ESCALATED),
    Role.OFFICER: (State.TRANSFERRED, State.SENT_BACK, State.TO_WRITE),
    Role.HEAD: (State.TRANSFERRED, State.AT_HEAD, State.SENT_BACK, State.TO_WRITE),
    Role.LEADERSHIP: (State.SUBMITTED, State.TO_WRITE),
}
"""The queue of each role: what waits for it (docs/rules.md)."""

SEEN_BY_ALL_OF_AGENCY = (Role.OFFICE, Role.LEADERSHIP)
ALL_STATES = tuple(s for s in State if s not in (State.NEW, State.SEALED, State.EXCLUDED))


class _Bulk(Input):
    model_config = {**Input.model_config, "extra": "ignore"}

    ids: list[str] = []
    unit: Line = ""


class _Reason(Input):
    required = {"reason": "Xin ghi lý do."}

    reason: Text


class _Place(Input):
    required = {"dialogue": "Xin chọn Hội nghị."}

    dialogue: Line


class _Excluded(Input):
    required = {"kind": "Xin xác định loại nội dung.", "reason": "Xin ghi lý do."}

    seen: int
    kind: Line
    reason: Text
    passed_to: Line = ""
    passed_on: FormDate | None = None
    contact: Line = ""
    contact_address: Line = ""
    contact_phone: Line = ""


def router(routing: Routing, templates: Templates) -> APIRouter:
    """The routes of cases and questions."""
    routes = APIRouter(prefix="/{agency}/can-bo", include_in_schema=False)
    questions, cases = routing.questions.collection, routing.cases.collection

    def acting(session: Session) -> Acting:
        return Acting(session.agency, session.username, routing.clock(), current_trace())

    def page(request: Request, session: Session, name: str, *, status: int = 200, **context: Any) -> Response:
        agency = routing.agencies[session.agency]
        return templates.page(request, f"questions/{name}", agency=face_of(agency), status=status, profile=agency, **context)

    def units(session: Session) -> list[tuple[str, str]]:
        agency = routing.agencies[session.agency]
        return [(u.code, u.name) for u in agency.units_on(local_date(routing.clock()))]

    async def dialogue_of(document: Document) -> Document | None:
        if document["dialogue"] is None:
            return None
        return await dialogue_store.dialogue(routing.dialogues.collection, document["agency"], document["dialogue"])

    # The queue

    @routes.get("/")
    async def queue(request: Request, session: Anybody) -> Response:
        if not session.has(*WORKED_ON):
            return RedirectResponse(f"/{session.agency}/{_home(session)}", 303)
        agency = routing.agencies[session.agency]
        now = routing.clock()
        asked = _asked(routing, request, session)
        number = _page_number(request)
        mine = _states_of(routing, session)
        found = await store.queue(questions, session.agency, asked, skip=(number - 1) * PAGE)
        total = await store.count(questions, session.agency, asked)
        counts = await store.counts_by_state(questions, session.agency, asked.unit)
        overdue = Queue(states=(), unit=asked.unit, overdue_at=now)
        known = await store.cases_by_id(cases, session.agency, [q["case"] for q in found])
        office = session.has(Role.OFFICE)
        return page(
            request,
            session,
            "queue.html",
            rows=views.rows(found, agency, now, known),
            tabs=views.tabs(counts, mine, request.query_params.get("trang-thai", "")),
            other_states=[(s.value, words.STATES[s]) for s in ALL_STATES],
            total=total,
            overdue=await store.count(questions, session.agency, overdue),
            late=await store.count_cases(cases, session.agency, CaseStatus.LATE) if office else 0,
            units=units(session) if session.has(*SEEN_BY_ALL_OF_AGENCY) else [],
            dialogues=await _dialogues(session),
            chosen=dict(request.query_params),
            number=number,
            pages=max(1, -(-total // PAGE)),
            carried=_carried(request),
            not_found=request.query_params.get("khong-thay") == "1",
            may_assign=usecases.who_is(routing, session).is_party(domain.Party.ASSIGNER, {}),
            flash=_flash(request),
        )

    async def _dialogues(session: Session) -> list[tuple[str, str]]:
        known = await dialogue_store.dialogues(routing.dialogues.collection, session.agency)
        return [(d["_id"], views.dialogue_name(d)) for d in known]

    @routes.get("/danh-sach")
    async def printable(request: Request, session: AtDesk) -> Response:
        now = routing.clock()
        asked = _asked(routing, request, session)
        found = await store.queue(questions, session.agency, asked, limit=PRINTED)
        return page(
            request,
            session,
            "printed.html",
            rows=views.rows(found, routing.agencies[session.agency], now),
            total=await store.count(questions, session.agency, asked),
            at=now,
        )

    @routes.get("/tim")
    async def search(session: Office, so: str = "") -> Response:
        case = await store.case_numbered(cases, session.agency, so)
        desk = f"/{session.agency}/can-bo/"
        return RedirectResponse(f"{desk}phieu/{case['_id']}" if case else f"{desk}?khong-thay=1", 303)

    # Triage and transfer

    @routes.get("/phan-loai")
    async def triage(request: Request, session: Assigning) -> Response:
        return await _triage_page(request, session)

    async def _triage_page(request: Request, session: Session, *, status: int = 200, **context: Any) -> Response:
        agency, now = routing.agencies[session.agency], routing.clock()
        chosen = request.query_params.get("trang-thai", "")
        known = (State.PROPOSED, State.TRIAGE, State.RETURNED)
        states = [s for s in known if s.value == chosen] or known
        asked = Queue(states=states, dialogue=request.query_params.get("hoi-nghi") or None)
        number = _page_number(request)
        found = await store.queue(questions, session.agency, asked, skip=(number - 1) * PAGE)
        total = await store.count(questions, session.agency, asked)
        its_cases = await store.cases_by_id(cases, session.agency, [q["case"] for q in found])
        assigns = usecases.who_is(routing, session).is_party(domain.Party.ASSIGNER, {})
        shown = {
            "rows": views.rows(found, agency, now, its_cases),
            "tabs": views.tabs(await store.counts_by_state(questions, session.agency), known, chosen),
            "units": units(session),
            "total": total,
            "number": number,
            "pages": max(1, -(-total // PAGE)),
            "carried": _carried(request),
            "may_assign": assigns,
            "assign_by": agency.assign_by.value,
            "refused": [],
            "flash": _flash(request),
        }
        return page(request, session, "triage.html", status=status, **(shown | context))

    @routes.post("/phan-loai")
    async def transfer_many(request: Request, session: Assigning) -> Response:
        form = (await read_form(request)).parse(_Bulk)
        chosen = dict(_chosen(form.ids))
        if not chosen:
            return await _triage_page(
                request, session, status=422, errors={"": "Xin đánh dấu ít nhất một nội dung."}, values={"unit": form.unit}
            )
        who, by = usecases.who_is(routing, session), acting(session)
        refused = await usecases.many(
            list(chosen), lambda _id: usecases.transfer(routing, by, who, _id, form.unit or None, seen=chosen[_id])
        )
        if not refused:
            return RedirectResponse(f"/{session.agency}/can-bo/phan-loai?da=chuyen", 303)
        numbers = [await _number(session, r.id) for r in refused]
        why = [(number, _why(r.error)) for number, r in zip(numbers, refused, strict=True)]
        return await _triage_page(request, session, status=409, refused=why, done=len(chosen) - len(refused))

    async def _number(session: Session, question_id: UUID) -> str:
        try:
            return str((await store.question(questions, session.agency, question_id))["case_number"])
        except NotFound:
            return ""

    # One question

    async def _visible(session: Session, question_id: UUID) -> Document:
        """The question, for those it concerns. A sealed one is not found; another unit's is not for this one."""
        document = await store.question(questions, session.agency, question_id)
        if session.has(*SEEN_BY_ALL_OF_AGENCY):
            return document
        units_of_it = {document.get("unit"), *(t["unit"] for t in document["transfers"])}
        if session.unit is None or session.unit not in units_of_it:
            raise Forbidden("another unit's question")
        return document

    async def _question_page(
        request: Request, session: Session, document: Document, *, status: int = 200, **context: Any
    ) -> Response:
        agency, who, now = routing.agencies[session.agency], usecases.who_is(routing, session), routing.clock()
        case = await store.case(cases, session.agency, document["case"])
        offered = acts.offered(document, who, now)
        by_slug = {act.slug: act for act in offered}
        shown: dict[str, Any] = {
            "question": document,
            "row": views.row(document, agency, now, case),
            "case": case,
            "person": views.person_facts(case, who),
            "dialogue": views.dialogue_name(await dialogue_of(document)),
            "clocks": [{**c, "due_on": date.fromisoformat(c["due_on"])} for c in document["clocks"]],
            "transfers": [{**t, "unit": words.unit_name(agency, t["unit"])} for t in document["transfers"]],
            "timeline": views.timeline(document["events"], agency),
            "acts": [act for act in offered if act.slug != "du-thao"],
            "may_draft": "du-thao" in by_slug,
            "draft": acts.draft_values(document) if document.get("draft") else None,
            "values": acts.draft_values(document),
            "links": session.has(Role.OFFICE),
            "flash": _flash(request),
        }
        return page(request, session, "question.html", status=status, **(shown | context))

    @routes.get("/noi-dung/{question_id}")
    async def question(request: Request, session: AtDesk, question_id: UUID) -> Response:
        return await _question_page(request, session, await _visible(session, question_id))

    def _act(document: Document, session: Session, slug: str) -> acts.DeskAct:
        """The act of this address. Raises `NotFound`; whether it may be done now is decided where it is done."""
        act = acts.BY_SLUG.get(slug)
        if act is None:
            raise NotFound("act")
        return act

    async def _act_page(
        request: Request, session: Session, document: Document, act: acts.DeskAct, *, status: int = 200, **context: Any
    ) -> Response:
        agency, now = routing.agencies[session.agency], routing.clock()
        shown: dict[str, Any] = {
            "question": document,
            "row": views.row(document, agency, now),
            "act": act,
            "units": units(session),
            "candidates": await _candidates(document) if act.slug == "gop" else [],
            "values": act.first(document),
        }
        return page(request, session, "act.html", status=status, **(shown | context))

    async def _candidates(document: Document) -> list[tuple[str, str]]:
        """Open questions of the same section that this one could be answered with."""
        states = tuple(domain.OPEN_STATES - {State.SEALED, State.NEW})
        asked = Queue(states=states, dialogue=document["dialogue"], section=document["section_no"])
        near = await store.queue(questions, document["agency"], asked, limit=CANDIDATES)
        shown = views.rows(
            (q for q in near if q["_id"] != document["_id"]), routing.agencies[document["agency"]], routing.clock()
        )
        return [(str(r.id), f"{r.case_number}: {r.excerpt}") for r in shown]

    async def _conflict_page(request: Request, session: Session, question_id: UUID, label: str) -> Response:
        """Somebody else was faster, or the state does not allow it any more: what is there now."""
        document = await _visible(session, question_id)
        agency = routing.agencies[session.agency]
        return page(
            request,
            session,
            "conflict.html",
            status=409,
            row=views.row(document, agency, routing.clock()),
            label=label,
            timeline=views.timeline(document["events"][-3:], agency),
        )

    @routes.get("/noi-dung/{question_id}/{slug}")
    async def act_form(request: Request, session: AtDesk, question_id: UUID, slug: str) -> Response:
        document = await _visible(session, question_id)
        act = _act(document, session, slug)
        if not act.offered(document, usecases.who_is(routing, session), routing.clock()):
            return RedirectResponse(f"/{session.agency}/can-bo/noi-dung/{question_id}", 303)
        return await _act_page(request, session, document, act)

    @routes.post("/noi-dung/{question_id}/{slug}")
    async def do_act(request: Request, session: AtDesk, question_id: UUID, slug: str) -> Response:
        document = await _visible(session, question_id)
        act = _act(document, session, slug)
        submitted = await read_form(request)
        try:
            form = submitted.parse(act.form)
            await act.run(routing, acting(session), usecases.who_is(routing, session), question_id, form)
        except Invalid as error:
            return await _act_page(
                request, session, document, act, status=422, values=dict(submitted.values), errors=error.errors
            )
        except Conflict:
            return await _conflict_page(request, session, question_id, act.label)
        desk = f"/{session.agency}/can-bo/"
        # What was sealed or given back is out of this person's sight: back to the queue.
        gone = act.slug in ("han-che", "chuyen-lai")
        return RedirectResponse(f"{desk}?da={act.slug}" if gone else f"{desk}noi-dung/{question_id}?da={act.slug}", 303)

    # One case

    @routes.get("/phieu/{case_id}")
    async def case_page(request: Request, session: Assigning, case_id: UUID) -> Response:
        return await _case_page(request, session, await store.case(cases, session.agency, case_id))

    async def _case_page(request: Request, session: Session, case: Document, *, status: int = 200, **context: Any) -> Response:
        agency, now = routing.agencies[session.agency], routing.clock()
        found = await store.questions_of_case(questions, session.agency, case["_id"])
        letters = await store.deliveries_of_case(routing.database["deliveries"], session.agency, case["_id"])
        sealed = {str(i) for i in case["questions"]} - {str(q["_id"]) for q in found}
        shown: dict[str, Any] = {
            "case": case,
            "facts": views.case_facts(case, await dialogue_of(case)),
            "person": views.person_facts(case, usecases.who_is(routing, session)),
            "rows": views.rows(found, agency, now, {case["_id"]: case}),
            "withheld": len(sealed),
            "deliveries": views.deliveries(letters),
            "timeline": views.timeline(await store.history(cases, session.agency, case["_id"]), agency),
            "is_office": session.has(Role.OFFICE),
            "is_late": case["status"] == CaseStatus.LATE,
            "may_place": case["status"] in (CaseStatus.OPEN, CaseStatus.LATE, CaseStatus.ADMITTED),
            "dialogues": await _dialogues(session),
            "flash": _flash(request),
        }
        return page(request, session, "case.html", status=status, **(shown | context))

    @routes.post("/phieu/{case_id}/dua-vao")
    async def admit(request: Request, session: Office, case_id: UUID) -> Response:
        await usecases.admit(routing, acting(session), case_id)
        return RedirectResponse(f"/{session.agency}/can-bo/phieu/{case_id}?da=dua-vao", 303)

    @routes.post("/phieu/{case_id}/phan-anh")
    async def make_feedback(request: Request, session: Office, case_id: UUID) -> Response:
        submitted = await read_form(request)
        try:
            await usecases.case_to_feedback(routing, acting(session), case_id, submitted.parse(_Reason).reason)
        except Invalid as error:
            case = await store.case(cases, session.agency, case_id)
            return await _case_page(request, session, case, status=422, errors=error.errors, values=dict(submitted.values))
        return RedirectResponse(f"/{session.agency}/can-bo/phieu/{case_id}?da=phan-anh", 303)

    @routes.post("/phieu/{case_id}/xep")
    async def place(request: Request, session: Office, case_id: UUID) -> Response:
        submitted = await read_form(request)
        try:
            await usecases.place(routing, acting(session), case_id, submitted.parse(_Place).dialogue)
        except Invalid as error:
            case = await store.case(cases, session.agency, case_id)
            return await _case_page(request, session, case, status=422, errors=error.errors, values=dict(submitted.values))
        return RedirectResponse(f"/{session.agency}/can-bo/phieu/{case_id}?da=xep", 303)

    @routes.get("/den-sau-han")
    async def late_cases(request: Request, session: Office) -> Response:
        number = _page_number(request)
        found = await store.cases_with_status(cases, session.agency, CaseStatus.LATE, skip=(number - 1) * PAGE)
        total = await store.count_cases(cases, session.agency, CaseStatus.LATE)
        decide_by = [await _decide_by(session, case) for case in found]
        return page(
            request,
            session,
            "late.html",
            cases=list(zip(found, decide_by, strict=True)),
            number=number,
            pages=max(1, -(-total // PAGE)),
            total=total,
            flash=_flash(request),
        )

    async def _decide_by(session: Session, case: Document) -> date | None:
        """The day by which the person is told what becomes of a late registration (D4)."""
        rule = routing.agencies[session.agency].deadlines.late_notice
        if not rule.enabled:
            return None
        calendar = await routing.calendars.of(session.agency)
        count = calendar.working_days_after if rule.counting == "working" else calendar.calendar_days_after
        return count(case["received_at"], rule.days, rule="D4").due_on

    # Sealed questions (D6)

    @routes.get("/han-che")
    async def sealed_list(request: Request, session: Named) -> Response:
        number = _page_number(request)
        found = await store.sealed_questions(questions, session.agency, skip=(number - 1) * PAGE, limit=PAGE + 1)
        rule = routing.agencies[session.agency].deadlines.denunciation_notice
        calendar = await routing.calendars.of(session.agency)
        rows = [
            {
                "id": q["_id"],
                "case_number": q["case_number"],
                "state": words.STATES[State(q["state"])],
                "is_open": q["state"] == State.SEALED,
                "received_at": q["received_at"],
                "due_on": calendar.working_days_after(q["received_at"], rule.days, rule="D6").due_on,
            }
            for q in found[:PAGE]
        ]
        return page(request, session, "sealed_list.html", rows=rows, number=number, more=len(found) > PAGE, flash=_flash(request))

    @routes.get("/han-che/{question_id}")
    async def sealed_question(request: Request, session: Named, question_id: UUID) -> Response:
        return await _sealed_page(request, session, question_id)

    async def _sealed_page(
        request: Request, session: Session, question_id: UUID, *, status: int = 200, **context: Any
    ) -> Response:
        agency = routing.agencies[session.agency]
        who, by = usecases.who_is(routing, session), acting(session)
        document = await usecases.open_sealed(routing, by, who, question_id)
        case = await store.case(cases, session.agency, document["case"])
        reception = agency.reception
        shown: dict[str, Any] = {
            "question": document,
            "case": case,
            "state": words.STATES[State(document["state"])],
            "is_open": document["state"] == State.SEALED,
            "why": (document.get("seal") or {}).get("why", ""),
            "person": views.person_facts(case, Who(frozenset({"office"}))),
            "timeline": views.timeline(document["events"], agency),
            "openings": await store.openings(routing.database["openings"], session.agency, question_id),
            "reception": reception,
            "values": {
                "kind": (document.get("seal") or {}).get("kind", ""),
                "contact": reception.name,
                "contact_address": reception.address,
                "contact_phone": reception.phone,
            },
        }
        return page(request, session, "sealed.html", status=status, **(shown | context))

    @routes.post("/han-che/{question_id}/mo-lai")
    async def unseal(request: Request, session: Named, question_id: UUID) -> Response:
        return await _sealed_act(request, session, question_id, acts.ReasonForm, "mo-lai")

    @routes.post("/han-che/{question_id}/ket-luan")
    async def exclude(request: Request, session: Named, question_id: UUID) -> Response:
        return await _sealed_act(request, session, question_id, _Excluded, "ket-luan")

    async def _sealed_act(request: Request, session: Session, question_id: UUID, model: type[Input], what: str) -> Response:
        who, by = usecases.who_is(routing, session), acting(session)
        await store.question(questions, session.agency, question_id, sealed=True)
        submitted = await read_form(request)
        try:
            form: Any = submitted.parse(model)
            await usecases.decide(
                routing, session.agency, question_id, lambda d: _sealed_change(d, by, who, form), seen=form.seen
            )
        except Invalid as error:
            return await _sealed_page(
                request, session, question_id, status=422, errors=error.errors, values=dict(submitted.values)
            )
        return RedirectResponse(f"/{session.agency}/can-bo/han-che?da={what}", 303)

    return routes


def _sealed_change(document: Document, by: Acting, who: Who, form: Any) -> Any:
    if isinstance(form, _Excluded):
        details = form.model_dump(include={"passed_to", "contact", "contact_address", "contact_phone"})
        details["passed_on"] = form.passed_on.isoformat() if form.passed_on else ""
        if form.kind == domain.COMPLAINT:
            details = {}
        return domain.excluded(document, by, who, form.kind, details, form.reason)
    return domain.unsealed(document, by, who, form.reason)


_OTHER_FLASHES = {
    "dua-vao": "Đã đưa phiếu vào Hội nghị; người đăng ký được báo.",
    "phan-anh": "Đã chuyển thành phản ánh, kiến nghị; người đăng ký được báo.",
    "xep": "Đã xếp phiếu vào Hội nghị.",
    "mo-lai": "Nội dung đã trở lại phân loại.",
    "ket-luan": "Đã ghi kết luận; văn bản được gửi đến người đăng ký.",
}


def _flash(request: Request) -> str | None:
    """What was just done, said by its code in the address: nothing from the address itself is shown."""
    code = request.query_params.get("da", "")
    act = acts.BY_SLUG.get(code)
    return _OTHER_FLASHES.get(code) or (act.done if act else None)


def _home(session: Session) -> str:
    """Where those begin who have no queue."""
    if session.has(Role.ADMINISTRATOR):
        return "can-bo/tai-khoan"
    return "can-bo/han-che" if session.may_read_sealed else "bao-cao/"


def _states_of(routing: Routing, session: Session) -> list[State]:
    """The states that wait for this person's roles, each once; where the leadership assigns, proposals wait for it."""
    states = [s for role, waiting in WORKED_ON.items() if session.has(role) for s in waiting]
    if session.has(Role.LEADERSHIP) and routing.agencies[session.agency].assign_by.value == "leadership":
        states.append(State.PROPOSED)
    return list(dict.fromkeys(states))


def _asked(routing: Routing, request: Request, session: Session) -> Queue:
    """The queue that the address asks for; units are held to their own."""
    asked = request.query_params
    everywhere = session.has(*SEEN_BY_ALL_OF_AGENCY)
    chosen = [s for s in ALL_STATES if s.value == asked.get("trang-thai")]
    overdue = asked.get("qua-han") == "1"
    return Queue(
        states=chosen or ([] if overdue else _states_of(routing, session)),
        unit=(asked.get("don-vi") or None) if everywhere else (session.unit or "-"),
        dialogue=asked.get("hoi-nghi") or None,
        overdue_at=routing.clock() if overdue else None,
    )


def _carried(request: Request) -> str:
    """The filters as the next page's address carries them."""
    names = ("trang-thai", "don-vi", "hoi-nghi", "qua-han")
    known = [(n, request.query_params[n]) for n in names if request.query_params.get(n)]
    return str(request.url.include_query_params().replace_query_params(**dict(known)).query)


def _page_number(request: Request) -> int:
    asked = request.query_params.get("trang", "1")
    return max(1, min(int(asked), 10_000)) if asked.isascii() and asked.isdigit() else 1


def _chosen(values: Sequence[str]) -> list[tuple[UUID, int]]:
    """Checked boxes: `<id>.<events seen>`. Raises `Invalid`."""
    try:
        return [(UUID(_id), int(seen)) for _id, _, seen in (value.partition(".") for value in values)]
    except ValueError:
        raise Invalid({"": "Danh sách gửi lên không đọc được. Xin tải lại trang."}) from None


def _why(error: Exception) -> str:
    match error:
        case Invalid():
            return next(iter(error.errors.values()))
        case Forbidden():
            return "Vai trò của Ông/Bà không được chuyển nội dung này."
        case NotFound():
            return "Không còn tìm thấy nội dung này."
        case _:
            return "Nội dung vừa được người khác thay đổi, hoặc phiếu đến sau hạn chưa được đưa vào Hội nghị."
