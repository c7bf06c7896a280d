"""How a form that may bring files is taken, and shown again when something is in the way: the public forms and the counter's."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from kit.errors import Invalid, TooMany, Unavailable
from kit.limits import Limits
from kit.web import Submitted
from services.intake import views
from services.intake.attachments.domain import FIELD
from services.intake.attachments.scanner import SCANNER
from services.intake.attachments.usecases import NOTHING, Attached, Attachments
from services.intake.forms import Step
from services.intake.ratelimits import ALL_REGISTRATIONS, FORM, REQUEST, count_uploads


@dataclass(frozen=True, slots=True)
class Hindrances:
    """What is said when a form cannot be taken just now though nothing is wrong with it. `{wait}`: when to try again. Staff's
    forms are not counted, so they need no words for too many.
    """

    unavailable: str
    no_scanner: str
    too_many: str = ""
    too_many_of_all: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A form as it is shown: as it is, or again with what is wrong with it (`errors`), or with what hinders just now (`warning`)
    and after how many seconds it is worth another try. `resend`: nothing is left but to press send once more.
    """

    errors: Mapping[str, str] = field(default_factory=dict)
    attached: Attached = NOTHING
    status: int = 200
    warning: str = ""
    retry_after: int = 0
    resend: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)} if self.warning else {}


AS_IT_IS = Shown()


async def taken(
    attachments: Attachments,
    agency: str,
    submitted: Submitted,
    nonce: str,
    act: Callable[[Attached], Awaitable[Response]],
    again: Callable[[Shown], Awaitable[Response]],
    words: Hindrances,
    *,
    step: Step = Step.SEND,
    count: Callable[[], None] = lambda: None,
) -> Response:
    """What `act` answers once the files are kept, whatever step they came at; where something is in the way, the form comes
    `again` with everything that was typed and uploaded. `count` raises `TooMany` before a file is looked at.
    """
    attached: Attached | None = None
    try:
        count()
        attached = await attachments.attach(agency, nonce, submitted)
        return await act(attached)
    except (TooMany, Invalid, Unavailable) as error:
        if attached is None:
            attached = await attachments.recall(agency, nonce, submitted)
        return await again(_in_the_way(error, step, attached, words))


def count_step(limits: Limits, address: str, submitted: Submitted, step: Step) -> None:
    """A form that is sent, or that brings files, is a form; looking at it again is a request like any other."""
    files = submitted.files.get(FIELD, ())
    limits.count(FORM if step is Step.SEND or files else REQUEST, address)
    count_uploads(limits, address, len(files))


def _in_the_way(error: TooMany | Invalid | Unavailable, step: Step, attached: Attached, words: Hindrances) -> Shown:
    if isinstance(error, Invalid):
        return Shown({**error.errors, **attached.errors}, attached, 422)
    if isinstance(error, TooMany):
        said = words.too_many_of_all if error.what == ALL_REGISTRATIONS else words.too_many
        warning, status = said.format(wait=views.waiting(error.retry_after)), 429
    else:
        warning, status = words.no_scanner if SCANNER in error.args else words.unavailable, 503
    return Shown(attached.errors, attached, status, warning, error.retry_after, resend=step is Step.SEND)
