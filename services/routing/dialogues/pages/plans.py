"""Plans and dialogues: published, changed by dated acts, with the back-plan (D1, D8)."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.model import CaseStatus
from kit.auth import Role, Session
from kit.clock import local
from kit.errors import Invalid
from kit.mongo import Document
from kit.web import Submitted, read_form
from services.routing.dialogues import agenda, domain, forms, papers, store, usecases, waves
from services.routing.dialogues.pages.desk import Again, Desk, Leadership, Office, Reader, after, base
from services.routing.questions import states
from services.routing.questions import store as questions_store

DEADLINES = {"report": "Báo cáo Giám đốc", "invitation": "Gửi giấy mời", "conclusion": "Thông báo kết luận"}
STATUSES = {"scheduled": "Đã lên kế hoạch", "cancelled": "Đã hủy", "held": "Đã tổ chức"}
MODES = {mode.value: label for mode, label in papers.MODES.items()}


def router(desk: Desk) -> APIRouter:
    """`ke-hoach…` and `doi-thoai/{id}`."""
    routes = APIRouter()
    _plans(routes, desk)
    _new_dialogue(routes, desk)
    _dialogue(routes, desk)
    _change_dialogue(routes, desk)
    return routes


def _plans(routes: APIRouter, desk: Desk) -> None:
    routing = desk.routing

    @routes.get("/ke-hoach")
    async def plans(request: Request, agency: str, session: Reader) -> Response:
        found = await store.plans(routing.plans.collection, agency)
        by_plan: dict[str, list[Document]] = {}
        for dialogue in await store.dialogues(routing.dialogues.collection, agency):
            by_plan.setdefault(dialogue["plan"], []).append(dialogue)
        return desk.page(request, session, "plans.html", plans=found, by_plan=by_plan, statuses=STATUSES)

    @routes.get("/ke-hoach/moi")
    async def new_plan(request: Request, session: Office) -> Response:
        return desk.page(request, session, "plan_form.html", plan=None, values={"year": str(local(routing.clock()).year)})

    @routes.post("/ke-hoach/moi")
    async def publish_plan(request: Request, session: Office) -> Response:
        submitted = await read_form(request)
        try:
            plan_id = await usecases.publish_plan(routing, desk.acting(session), submitted.parse(forms.PlanForm).plan())
        except Invalid as error:
            return _refused(desk, request, session, "plan_form.html", submitted, error.errors, plan=None)
        return after(f"{base(session)}/ke-hoach/{plan_id}", "ke-hoach")

    async def plan_page(request: Request, session: Session, plan_id: str, **context: Any) -> Response:
        plan = await desk.plan(session.agency, plan_id)
        found = await store.dialogues_of_plan(routing.dialogues.collection, session.agency, plan_id)
        return desk.page(request, session, "plan.html", plan=plan, dialogues=found, statuses=STATUSES, **context)

    @routes.get("/ke-hoach/{plan_id}")
    async def plan(request: Request, plan_id: str, session: Reader) -> Response:
        return await plan_page(request, session, plan_id)

    @routes.get("/ke-hoach/{plan_id}/sua")
    async def plan_form(request: Request, agency: str, plan_id: str, session: Office) -> Response:
        plan = await desk.plan(agency, plan_id)
        return desk.page(request, session, "plan_form.html", plan=plan, values=forms.plan_values(plan))

    @routes.post("/ke-hoach/{plan_id}/sua")
    async def edit_plan(request: Request, agency: str, plan_id: str, session: Office) -> Response:
        plan = await desk.plan(agency, plan_id)

        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.PlanEdit)
            values = form.plan().model_dump(exclude={"steps", "postings", "sample"})
            await usecases.edit_plan(routing, desk.acting(session), plan_id, values, form.reason)

        again = _again(desk, request, session, "plan_form.html", plan=plan)
        return await desk.post(request, f"{base(session)}/ke-hoach/{plan_id}", act, again, "sua-ke-hoach")

    @routes.post("/ke-hoach/{plan_id}/niem-yet")
    async def post_plan(request: Request, plan_id: str, session: Office) -> Response:
        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.PostingForm)
            await usecases.record_posting(routing, desk.acting(session), plan_id, form.place, form.posted_on)

        async def again(submitted: Submitted, errors: Mapping[str, str]) -> Response:
            return await plan_page(request, session, plan_id, status=422, values=submitted.values, errors=errors)

        return await desk.post(request, f"{base(session)}/ke-hoach/{plan_id}", act, again, "niem-yet")


def _new_dialogue(routes: APIRouter, desk: Desk) -> None:
    routing = desk.routing

    @routes.get("/ke-hoach/{plan_id}/doi-thoai")
    async def dialogue_form(request: Request, agency: str, plan_id: str, session: Office) -> Response:
        plan = await desk.plan(agency, plan_id)
        known = await store.dialogues_of_plan(routing.dialogues.collection, agency, plan_id)
        values = {"ordinal": str(len(known) + 1), "mode": "in_person", "place": known[-1]["place"] if known else ""}
        return desk.page(request, session, "terms.html", plan=plan, dialogue=None, modes=MODES, values=values)

    @routes.post("/ke-hoach/{plan_id}/doi-thoai")
    async def add_dialogue(request: Request, agency: str, plan_id: str, session: Office) -> Response:
        plan = await desk.plan(agency, plan_id)

        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.DialogueForm)
            await usecases.add_dialogue(routing, desk.acting(session), plan_id, form.ordinal, form.terms())

        again = _again(desk, request, session, "terms.html", plan=plan, dialogue=None, modes=MODES)
        return await desk.post(request, f"{base(session)}/ke-hoach/{plan_id}", act, again, "them-hoi-nghi")


def _dialogue(routes: APIRouter, desk: Desk) -> None:
    routing = desk.routing

    @routes.get("/doi-thoai/{dialogue_id}")
    async def dialogue_page(request: Request, agency: str, dialogue_id: str, session: Reader) -> Response:
        dialogue = await desk.dialogue(agency, dialogue_id)
        profile = desk.agency(agency)
        calendar = await routing.calendars.of(agency)
        overview = await _overview(desk, dialogue)
        return desk.page(
            request,
            session,
            "dialogue.html",
            dialogue=dialogue,
            steps=domain.plan_back(calendar, usecases.back_plan_rules(profile), domain.terms_of(dialogue)),
            deadlines=[(DEADLINES[name], domain.is_done(dialogue, name), d) for name, d in dialogue["deadlines"].items()],
            next_step=next_step(dialogue, overview, require_signed_file=profile.require_signed_file.value),
            has_report="report" in dialogue["deadlines"],
            leads=session.has(Role.LEADERSHIP),
            statuses=STATUSES,
            modes=MODES,
            **overview,
        )

    @routes.post("/doi-thoai/{dialogue_id}/thong-nhat")
    async def agree_contents(request: Request, dialogue_id: str, session: Leadership) -> Response:
        note = (await read_form(request)).parse(forms.NoteForm).note
        await usecases.agree_contents(routing, desk.acting(session), dialogue_id, note)
        return after(f"{base(session)}/doi-thoai/{dialogue_id}", "thong-nhat")

    @routes.post("/doi-thoai/{dialogue_id}/trinh-bao-cao")
    async def hand_report(dialogue_id: str, session: Office) -> Response:
        await usecases.hand_report(routing, desk.acting(session), dialogue_id)
        return after(f"{base(session)}/doi-thoai/{dialogue_id}", "trinh-bao-cao")


def _change_dialogue(routes: APIRouter, desk: Desk) -> None:
    routing = desk.routing

    @routes.get("/doi-thoai/{dialogue_id}/sua")
    async def terms_form(request: Request, agency: str, dialogue_id: str, session: Office) -> Response:
        dialogue = await desk.dialogue(agency, dialogue_id)
        values = forms.terms_values(dialogue)
        return desk.page(request, session, "terms.html", plan=None, dialogue=dialogue, modes=MODES, values=values)

    @routes.post("/doi-thoai/{dialogue_id}/sua")
    async def change_dialogue(request: Request, agency: str, dialogue_id: str, session: Office) -> Response:
        dialogue = await desk.dialogue(agency, dialogue_id)

        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.DialogueChange)
            await usecases.change_dialogue(routing, desk.acting(session), dialogue_id, form.terms(), form.reason)

        again = _again(desk, request, session, "terms.html", plan=None, dialogue=dialogue, modes=MODES)
        return await desk.post(request, f"{base(session)}/doi-thoai/{dialogue_id}", act, again, "sua-hoi-nghi")

    @routes.get("/doi-thoai/{dialogue_id}/huy")
    async def cancel_form(request: Request, agency: str, dialogue_id: str, session: Office) -> Response:
        return desk.page(request, session, "cancel.html", dialogue=await desk.dialogue(agency, dialogue_id))

    @routes.post("/doi-thoai/{dialogue_id}/huy")
    async def cancel_dialogue(request: Request, agency: str, dialogue_id: str, session: Office) -> Response:
        dialogue = await desk.dialogue(agency, dialogue_id)

        async def act(submitted: Submitted) -> None:
            form = submitted.parse(forms.CancelForm)
            await usecases.cancel_dialogue(routing, desk.acting(session), dialogue_id, form.reason, form.answers_by)

        again = _again(desk, request, session, "cancel.html", dialogue=dialogue)
        return await desk.post(request, f"{base(session)}/doi-thoai/{dialogue_id}", act, again, "huy-hoi-nghi")


def _refused(
    desk: Desk,
    request: Request,
    session: Session,
    name: str,
    submitted: Submitted,
    errors: Mapping[str, str],
    **context: Any,
) -> Response:
    return desk.page(request, session, name, status=422, values=submitted.values, errors=errors, **context)


def _again(desk: Desk, request: Request, session: Session, name: str, **context: Any) -> Again:
    async def show(submitted: Submitted, errors: Mapping[str, str]) -> Response:
        return _refused(desk, request, session, name, submitted, errors, **context)

    return show


async def _overview(desk: Desk, dialogue: Document) -> dict[str, Any]:
    """The figures of a dialogue: cases, contents, answers that are ready (D8 a)."""
    routing = desk.routing
    agency = dialogue["agency"]
    cases = await questions_store.cases_of_dialogue(routing.cases.collection, agency, dialogue["_id"])
    questions = await questions_store.questions_of_dialogue(routing.questions.collection, agency, dialogue["_id"])
    spoken = [q for q in questions if agenda.is_spoken(q, dialogue)]
    return {
        "registrations": sum(case["source"] != "walk_in" for case in cases),
        "seated": agenda.seated(cases),
        "late_cases": sum(case["status"] == CaseStatus.LATE for case in cases),
        "to_invite": len(agenda.missed(dialogue, cases, questions)),
        "attendance": agenda.attendance(cases),
        "contents": len(spoken),
        "ready": sum(q["state"] == "ready" for q in spoken),
        "open_contents": sum(states.is_open(q) for q in spoken),
    }


def next_step(dialogue: Document, overview: Mapping[str, Any], *, require_signed_file: bool) -> tuple[str, str]:
    """The next thing to do, and the page below the dialogue's where it is done; empty when all is done."""
    if dialogue["status"] == "cancelled" or dialogue["notice"]:
        return "", ""
    if dialogue["status"] == "held":
        return "Soạn và phát hành thông báo kết luận", "/ket-luan"
    if step := waves.next_step(dialogue, require_signed_file=require_signed_file):
        return step, "/giay-moi" if dialogue["starts_at"] else "/sua"
    if overview["to_invite"]:
        return f"Gửi tiếp giấy mời cho {overview['to_invite']} người chưa được mời", "/giay-moi"
    return "Ghi diễn biến Hội nghị khi Hội nghị bắt đầu", "/dien-bien"
