"""The public pages of an agency: what it announces, what it answered, what it offers, how it is reached.

Nothing in them is personal, so they may be kept for a minute by whoever is in between.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from kit.agency import Agency
from kit.calendar import WorkCalendar
from kit.clock import local_date
from kit.errors import NotFound
from kit.web import Templates, read_form
from kit.web.faces import face_of
from kit.web.middleware import address_of
from services.intake import domain, views
from services.intake.domain import Plan
from services.intake.ratelimits import REQUEST
from services.intake.site import papers, usecases
from services.intake.site.domain import SUGGESTED, fields_of, headings, map_link, matching
from services.intake.site.usecases import Asked
from services.intake.usecases import Intake
from services.intake.views import DialogueView

FOR_A_MINUTE = {"Cache-Control": "public, max-age=60"}
FOR_AN_HOUR = {"Cache-Control": "public, max-age=3600"}
_PUBLIC_ID = re.compile(r"[a-z2-7]{13}")
_LONGEST_SEARCH = 200
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_SITEMAP = ("", "doi-thoai", "ket-luan", "hoi-dap", "thu-tuc", "so-lieu", "lien-he", "phan-anh-kien-nghi")
_NOT_FOR_ROBOTS = ("api/", "*/can-bo/", "*/tiep-nhan/", "*/van-thu/", "*/bao-cao/", "*/tra-cuu", "*/khao-sat/")


def router(intake: Intake, templates: Templates, emblems: Mapping[str, bytes]) -> APIRouter:
    """The public pages, before all that take any address below an agency."""
    pages = _Pages(intake, templates, emblems)
    routes = APIRouter(include_in_schema=False)
    get = routes.get
    get("/")(pages.agencies)
    get("/robots.txt")(pages.robots)
    get("/{agency}")(pages.with_slash)
    get("/{agency}/")(pages.home)
    get("/{agency}/sitemap.xml")(pages.sitemap)
    get("/{agency}/bieu-trung.svg")(pages.emblem)
    get("/{agency}/lien-he")(pages.contacts)
    get("/{agency}/thu-tuc")(pages.procedures)
    get("/{agency}/ket-luan")(pages.conclusions)
    get("/{agency}/ke-hoach/{plan}")(pages.plan)
    get("/{agency}/ke-hoach/{plan}/mau-phieu.pdf")(pages.blank_form)
    get("/{agency}/ke-hoach/{plan}/mau-phieu.docx")(pages.blank_form_docx)
    get("/{agency}/ke-hoach/{plan}/ke-hoach.pdf")(pages.plan_paper)
    get("/{agency}/ke-hoach/{plan}/ke-hoach.docx")(pages.plan_docx)
    get("/{agency}/doi-thoai")(pages.dialogues)
    get("/{agency}/doi-thoai/{dialogue}")(pages.dialogue)
    get("/{agency}/doi-thoai/{dialogue}/thong-bao.pdf")(pages.notice_file)
    get("/{agency}/hoi-dap")(pages.answers)
    routes.post("/{agency}/hoi-dap/goi-y")(pages.suggestions)
    get("/{agency}/hoi-dap/niem-yet")(pages.notice_board)
    get("/{agency}/hoi-dap/niem-yet.pdf")(pages.notice_board_pdf)
    get("/{agency}/hoi-dap/{answer}")(pages.answer)
    return routes


class _Pages:
    """The endpoints. FastAPI fills in path parameters by name; of a query nothing but what is read here counts."""

    def __init__(self, intake: Intake, templates: Templates, emblems: Mapping[str, bytes]) -> None:
        self._intake = intake
        self._templates = templates
        self._emblems = emblems

    # The site

    async def agencies(self, request: Request) -> Response:
        """The agencies of this site."""
        shown = list(self._intake.agencies.values())
        return self._templates.page(request, "site/agencies.html", agency=None, headers=FOR_A_MINUTE, agencies=shown)

    async def with_slash(self, agency: str) -> Response:
        return RedirectResponse(f"/{self._intake.agency(agency).code}/", 303)

    async def home(self, request: Request, agency: str) -> Response:
        """What can be done here, and the dialogue that is next."""
        profile = self._intake.agency(agency)
        plans = await self._intake.announcements.plans(agency)
        calendar = await usecases.calendar(self._intake, agency)
        now = self._intake.clock()
        shown = [(plan, self._views(profile, plan, calendar), domain.place(plan, now)) for plan in plans]
        current = [(plan, found, place) for plan, found, place in shown if not found or any(not d.past for d in found)]
        return self._page(
            request,
            profile,
            "home.html",
            current=current,
            concluded=[d for _, found, _ in shown for d in found if d.notice][:3],
            latest=await usecases.latest(self._intake, agency),
        )

    async def sitemap(self, agency: str) -> Response:
        """The public pages, for search engines."""
        profile = self._intake.agency(agency)
        base = f"{self._intake.settings.public_url}/{profile.code}"
        plans = await self._intake.announcements.plans(agency)
        paths = [*_SITEMAP, *(f"ke-hoach/{p.id}" for p in plans), *(f"doi-thoai/{d.id}" for p in plans for d in p.dialogues)]
        paths += [f"hoi-dap/{answer.id}" for answer in await usecases.newest(self._intake, agency)]
        text = self._templates.render("site/sitemap.xml", addresses=[f"{base}/{path}" for path in paths])
        return Response(text, media_type="application/xml", headers=FOR_AN_HOUR)

    async def robots(self) -> Response:
        """What search engines may read, and where they find it."""
        base = self._intake.settings.public_url
        lines = ["User-agent: *", *(f"Disallow: /{path}" for path in _NOT_FOR_ROBOTS)]
        lines += [f"Sitemap: {base}/{code}/sitemap.xml" for code in self._intake.agencies]
        return Response("\n".join(lines) + "\n", media_type="text/plain", headers=FOR_AN_HOUR)

    async def emblem(self, agency: str) -> Response:
        """The agency's own emblem."""
        drawn = self._emblems.get(agency)
        if drawn is None:
            raise NotFound("emblem")
        return Response(drawn, media_type="image/svg+xml", headers=FOR_AN_HOUR)

    async def contacts(self, request: Request, agency: str) -> Response:
        """How the agency is reached, and where it receives citizens."""
        profile = self._intake.agency(agency)
        where = map_link(profile.contacts.address, profile.contacts)
        units = profile.units_on(local_date(self._intake.clock()))
        return self._page(request, profile, "contacts.html", profile=profile, map=where, units=units)

    async def procedures(self, request: Request, agency: str) -> Response:
        """The agency's procedures (K4), with a search."""
        profile = self._intake.agency(agency)
        typed, field = _typed(request, "q"), _typed(request, "linh-vuc")
        return self._page(
            request,
            profile,
            "procedures.html",
            procedures=matching(profile.procedures, typed, field),
            total=len(profile.procedures),
            fields=[(name, name) for name in fields_of(profile.procedures)],
            places={place.code: place.name for place in profile.publish_places},
            portal=profile.procedure_portal,
            has_samples=any(procedure.sample for procedure in profile.procedures),
            values={"q": typed, "linh-vuc": field},
        )

    # Plans and dialogues

    async def dialogues(self, request: Request, agency: str) -> Response:
        """Plans and dialogues: open, coming, past."""
        profile = self._intake.agency(agency)
        now = self._intake.clock()
        plans = await self._intake.announcements.plans(agency)
        calendar = await usecases.calendar(self._intake, agency)
        shown = [(plan, self._views(profile, plan, calendar), domain.place(plan, now)) for plan in plans]
        current = [(plan, found, place) for plan, found, place in shown if not found or any(not d.past for d in found)]
        past = [d for _, found, _ in shown for d in found if d.past]
        return self._page(request, profile, "dialogues.html", current=current, past=past)

    async def plan(self, request: Request, agency: str, plan: str) -> Response:
        """One plan with its dialogues."""
        profile = self._intake.agency(agency)
        found = await self._intake.announcements.plan(agency, plan)
        shown = self._views(profile, found, await usecases.calendar(self._intake, agency))
        placement = domain.place(found, self._intake.clock())
        return self._page(request, profile, "plan.html", plan=found, dialogues=shown, placement=placement)

    async def dialogue(self, request: Request, agency: str, dialogue: str) -> Response:
        """One dialogue: when, where, until when to register, its conclusion and what was answered."""
        profile = self._intake.agency(agency)
        plan, found = await self._dialogue(agency, dialogue)
        answers = await usecases.of_dialogue(self._intake, agency, found.id)
        view = self._view(profile, plan, found, await usecases.calendar(self._intake, agency))
        return self._page(request, profile, "dialogue.html", plan=plan, dialogue=view, answers=answers)

    async def conclusions(self, request: Request, agency: str) -> Response:
        """The published conclusions, newest first (D12)."""
        profile = self._intake.agency(agency)
        plans = await self._intake.announcements.plans(agency)
        found = [view for plan in plans for view in self._views(profile, plan) if view.notice]
        found.sort(key=lambda view: str(view.notice.issued_on if view.notice else ""), reverse=True)
        return self._page(request, profile, "conclusions.html", dialogues=found)

    async def blank_form(self, agency: str, plan: str) -> Response:
        """The printed form to fill in by hand (D2)."""
        profile = self._intake.agency(agency)
        paper = papers.blank_form(profile, await self._intake.announcements.plan(agency, plan), self._intake.clock())
        return _pdf(await papers.as_pdf(paper, self._intake.settings.fonts_dir), "phieu-dang-ky-doi-thoai.pdf")

    async def blank_form_docx(self, agency: str, plan: str) -> Response:
        """The printed form to fill in on a computer and send by mail (D2, D3)."""
        profile = self._intake.agency(agency)
        paper = papers.blank_form(profile, await self._intake.announcements.plan(agency, plan), self._intake.clock())
        return _docx(await papers.as_docx(paper), "phieu-dang-ky-doi-thoai.docx")

    async def plan_paper(self, agency: str, plan: str) -> Response:
        """The plan as PDF (D1)."""
        profile = self._intake.agency(agency)
        paper = papers.plan_paper(profile, await self._intake.announcements.plan(agency, plan))
        return _pdf(await papers.as_pdf(paper, self._intake.settings.fonts_dir), "ke-hoach-doi-thoai.pdf")

    async def plan_docx(self, agency: str, plan: str) -> Response:
        """The plan as DOCX (D1)."""
        profile = self._intake.agency(agency)
        paper = papers.plan_paper(profile, await self._intake.announcements.plan(agency, plan))
        return _docx(await papers.as_docx(paper), "ke-hoach-doi-thoai.docx")

    async def notice_file(self, agency: str, dialogue: str) -> Response:
        """The public copy of the conclusion notice as issued."""
        self._intake.agency(agency)
        _, found = await self._dialogue(agency, dialogue)
        notice = found.state.notice
        if notice is None or notice.issued_on is None or notice.file is None:
            raise NotFound("notice")
        return _pdf(await self._intake.files.get(notice.file), "thong-bao-ket-luan.pdf")

    # Published answers

    async def answers(self, request: Request, agency: str) -> Response:
        """Published answers: searched by words, field and year."""
        profile = self._intake.agency(agency)
        typed, chosen, year = _typed(request, "q"), _typed(request, "muc"), _year(request)
        offered = headings(profile)
        if chosen and chosen not in offered:
            raise NotFound("heading")
        asked = Asked(typed, offered.get(chosen, ""), year)
        page = _number(request, "trang")
        found = await usecases.search(self._intake, agency, asked, 1 if page is None else page)
        kept = {"q": typed, "muc": chosen, "nam": str(year or "")}
        return self._page(
            request,
            profile,
            "answers.html",
            found=found,
            asked=asked,
            sections=list(offered.items()),
            years=[(str(one), f"Năm {one}") for one in await self._years(agency, year)],
            values=kept,
            pager=f"/{agency}/hoi-dap?{urlencode({k: v for k, v in kept.items() if v} | {'trang': ''})}",
        )

    async def answer(self, request: Request, agency: str, answer: str) -> Response:
        """One question with its answer."""
        profile = self._intake.agency(agency)
        if not _PUBLIC_ID.fullmatch(answer):
            raise NotFound("answer")
        found = await usecases.answer(self._intake, agency, answer)
        plans = await self._intake.announcements.plans(agency)
        told = next(((p, d) for p in plans for d in p.dialogues if d.id == found.dialogue), None)
        view = self._view(profile, *told) if told else None
        return self._page(request, profile, "answer.html", answer=found, dialogue=view)

    async def suggestions(self, request: Request, agency: str) -> Response:
        """Earlier answers to the like of what is being typed. It comes in the body, is read in memory and written nowhere."""
        self._intake.limits.count(REQUEST, address_of(request.scope))
        profile = self._intake.agency(agency)
        submitted = await read_form(request)
        found = await usecases.like(self._intake, agency, submitted.values.get("text", ""))
        shown = [{"question": a.question, "href": f"/{profile.code}/hoi-dap/{a.id}"} for a in found[:SUGGESTED]]
        return JSONResponse({"answers": shown})

    async def notice_board(self, request: Request, agency: str) -> Response:
        """The year's opinions and answers, to be printed for the notice boards."""
        profile = self._intake.agency(agency)
        year = _year(request) or local_date(self._intake.clock()).year
        answers = await usecases.of_year(self._intake, agency, year)
        years = await self._years(agency, local_date(self._intake.clock()).year)
        return self._page(request, profile, "notice_board.html", profile=profile, year=year, years=years, answers=answers)

    async def notice_board_pdf(self, request: Request, agency: str) -> Response:
        """The same as PDF, A4."""
        profile = self._intake.agency(agency)
        year = _year(request) or local_date(self._intake.clock()).year
        answers = await usecases.of_year(self._intake, agency, year)
        settings = self._intake.settings
        paper = papers.notice_board(profile, year, answers, self._intake.clock(), settings.public_url)
        return _pdf(await papers.as_pdf(paper, settings.fonts_dir), f"y-kien-va-tra-loi-{year}.pdf")

    # What several share

    async def _years(self, agency: str, beside: int | None) -> list[int]:
        """Years that have published answers, with or without a plan, and one `beside`; newest first."""
        return sorted({*await usecases.years(self._intake, agency), *([beside] if beside else ())}, reverse=True)

    async def _dialogue(self, agency: str, dialogue: str) -> tuple[Plan, domain.Dialogue]:
        for plan in await self._intake.announcements.plans(agency):
            if (found := plan.dialogue(dialogue)) is not None:
                return plan, found
        raise NotFound("dialogue")

    def _views(self, profile: Agency, plan: Plan, calendar: WorkCalendar | None = None) -> list[DialogueView]:
        return [self._view(profile, plan, dialogue, calendar) for dialogue in plan.dialogues]

    def _view(self, profile: Agency, plan: Plan, dialogue: domain.Dialogue, calendar: WorkCalendar | None = None) -> DialogueView:
        return views.dialogue_view(plan, dialogue, self._intake.clock(), calendar=calendar, contacts=profile.contacts)

    def _page(self, request: Request, profile: Agency, name: str, /, **context: Any) -> Response:
        return self._templates.page(request, f"site/{name}", agency=face_of(profile), headers=FOR_A_MINUTE, **context)


def _pdf(content: bytes, name: str) -> Response:
    """A PDF that browsers show."""
    headers = {"Content-Disposition": f'inline; filename="{name}"', **FOR_A_MINUTE}
    return Response(content, media_type="application/pdf", headers=headers)


def _docx(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **FOR_A_MINUTE}
    return Response(content, media_type=papers.DOCX, headers=headers)


def _typed(request: Request, name: str) -> str:
    return " ".join(request.query_params.get(name, "")[:_LONGEST_SEARCH].split())


def _number(request: Request, name: str) -> int | None:
    """A whole number of the query; None when it is left out. Raises `NotFound` for anything else."""
    asked = request.query_params.get(name, "")
    if not asked:
        return None
    if not (asked.isascii() and asked.isdigit() and len(asked) <= 4):
        raise NotFound(name)
    return int(asked)


def _year(request: Request) -> int | None:
    year = _number(request, "nam")
    if year is not None and not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise NotFound("year")
    return year
