"""The public page of the survey: a form behind a link or a QR code. Opening it is no answer, only sending it is: mail scanners
follow links.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from contracts.model import SurveyWay
from kit.acting import Acting
from kit.agency import Agency
from kit.errors import Invalid, NotFound, TooMany, Unavailable
from kit.procedures import procedures_of
from kit.surveylinks import Expired
from kit.web import Templates, current_trace, read_form
from kit.web.faces import face_of
from kit.web.middleware import address_of
from services.intake.http import with_nonce
from services.intake.ratelimits import count_survey
from services.intake.surveys import usecases, words
from services.intake.surveys.domain import About
from services.intake.surveys.forms import SurveyForm
from services.intake.surveys.usecases import Asked, Closed, Surveys
from services.intake.views import waiting

_RETRY_AFTER = 5
_NOT_READ = Asked(About(SurveyWay.QR))
"""What a form is shown for again while the database does not answer: nothing that was chosen is lost."""


def router(surveys: Surveys, templates: Templates) -> APIRouter:
    """`/{agency}/khao-sat/{token}`."""
    pages = _Pages(surveys, templates)
    routes = APIRouter(include_in_schema=False)
    routes.api_route("/{agency}/khao-sat/{token}", methods=["GET", "HEAD"])(pages.form)
    routes.post("/{agency}/khao-sat/{token}")(pages.submit)
    return routes


class _Pages:
    def __init__(self, surveys: Surveys, templates: Templates) -> None:
        self._surveys = surveys
        self._templates = templates

    async def form(self, request: Request, agency: str, token: str) -> Response:
        """The questions; for a case that was answered for, that it was."""
        profile = self._surveys.agency(agency)
        try:
            link = await usecases.asked(self._surveys, profile, token)
        except (NotFound, Expired, Closed) as error:
            return self._no_survey(request, profile, error)
        if await usecases.is_answered(self._surveys, profile, link):
            return self._page(request, profile, "given.html", first=False, again="")
        return self._form(request, profile, token, link, {"nonce": secrets.token_urlsafe(16)}, {})

    async def submit(self, request: Request, agency: str, token: str) -> Response:
        """The answer: thanks, or the form again with everything that was chosen."""
        profile = self._surveys.agency(agency)
        submitted = await read_form(request)
        values = with_nonce(submitted)
        link = _NOT_READ
        try:
            count_survey(self._surveys.limits, address_of(request.scope))
            link = await usecases.asked(self._surveys, profile, token)
            typed = submitted.parse(SurveyForm)
            acting = Acting(profile.code, "respondent", self._surveys.clock(), current_trace())
            key, about = link.key(values["nonce"]), _chosen(link.about, typed)
            first = await usecases.give(self._surveys, acting, about, key, typed.answers(), submitted.vouching)
        except (NotFound, Expired, Closed) as error:
            return self._no_survey(request, profile, error)
        except Invalid as error:
            return self._form(request, profile, token, link, values, error.errors, status=422)
        except TooMany as error:
            warning = words.TOO_MANY.format(wait=waiting(error.retry_after))
            again = error.retry_after
            return self._form(request, profile, token, link, values, {}, status=429, warning=warning, retry_after=again)
        except Unavailable:
            return self._form(request, profile, token, link, values, {}, status=503, warning=words.UNAVAILABLE)
        again_at = f"/{profile.code}/khao-sat/{token}" if link.case is None else ""
        return self._page(request, profile, "given.html", first=first, again=again_at)

    def _form(
        self,
        request: Request,
        profile: Agency,
        token: str,
        link: Asked,
        values: Mapping[str, str],
        errors: Mapping[str, str],
        *,
        status: int = 200,
        warning: str = "",
        retry_after: int = _RETRY_AFTER,
    ) -> Response:
        procedures = procedures_of(profile)
        about = link.about
        return self._page(
            request,
            profile,
            "survey.html",
            status=status,
            headers={"Retry-After": str(retry_after)} if warning else {},
            token=token,
            of_case=link.case is not None,
            unit=_unit_name(profile, about),
            procedure=procedures.get(about.procedure or ""),
            procedures=() if link.case or about.procedure else tuple(procedures.items()),
            criteria=words.CRITERIA,
            marks=words.MARKS,
            no_name=words.NO_NAME,
            labels=words.labels(),
            values=values,
            errors=errors,
            warning=warning,
        )

    def _no_survey(self, request: Request, profile: Agency, error: Exception) -> Response:
        """A clear page for a link that opens no form."""
        unknown = isinstance(error, NotFound)
        kind = "unknown" if unknown else "expired" if isinstance(error, Expired) else "closed"
        return self._page(request, profile, "no_survey.html", status=404 if unknown else 410, kind=kind)

    def _page(self, request: Request, profile: Agency, name: str, **context: Any) -> Response:
        return self._templates.page(request, f"surveys/{name}", agency=face_of(profile), **context)


def _chosen(about: About, typed: SurveyForm) -> About:
    """What the answer is about, with the procedure that was chosen where the code stands for all of a unit's."""
    if about.procedure is not None or typed.procedure is None or about.counter is None:
        return about
    return About(about.way, about.unit, typed.procedure, about.counter)


def _unit_name(profile: Agency, about: About) -> str:
    return next((unit.name for unit in profile.units if unit.code == about.unit), "")
