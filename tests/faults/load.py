"""A load that remembers what each client was told, so that the checks rest on that and not on any log.

Most of it is registrations by the API; one request in `FEEDBACK_EVERY` is feedback by the API (K2), one in `FORMS_EVERY` is the
public form without its proof of work, which is held until the office lets it go (`tests/faults/office.py`).

Registrations do not stay as they came: of some the first question is moved on at the desks (`tests/faults/desk.py`), some are
amended or taken back by their code a little later, a few of those that are moved amended as well.
"""

import asyncio
import copy
import random
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import unescape
from time import monotonic
from typing import Any

import httpx

TEXTS = (
    "Xin hỏi thủ tục công bố hợp chuẩn, hợp quy và thời gian giải quyết hồ sơ.",
    "Đề nghị hướng dẫn đăng ký nhãn hiệu và bảo hộ sở hữu trí tuệ cho sản phẩm của hợp tác xã.",
    "Thủ tục cấp giấy phép tiến hành công việc bức xạ cho máy X-quang mất bao lâu?",
    "Hồ sơ đăng ký hoạt động khoa học và công nghệ cần những giấy tờ gì?",
    "Tôi muốn góp ý về việc trả kết quả.",
    "Phương tiện đo nhóm 2 phải kiểm định ở đâu, phí là bao nhiêu?",
)
KINDS = ("individual", "organisation", "enterprise", "cooperative")
SECTIONS = {"son-la": 5, "bac-kan": 2}
GROUPS = (None, 1, 5, 8)
"""Content groups of feedback; None: its sender could not say."""

CONNECTIONS = 200
REPEATED_EVERY = 20
"""Of so many requests one is sent again when it is accepted, and another one with other content under its key."""
FEEDBACK_EVERY = 11
FORMS_EVERY = 37
"""Have no factor in common with one another nor with `REPEATED_EVERY`: each way in meets repetition and other content."""
MOVED_EVERY = 31
AMENDED_EVERY = 41
WITHDRAWN_EVERY = 43
BOTH_EVERY = 3
"""Of so many that are moved one is amended meanwhile: routing's compare-and-set decides between registrant and desk."""
PATHS: Sequence[tuple[str, ...]] = (
    ("transferred",),
    ("transferred", "returned"),
    ("transferred", "returned", "transferred"),
    ("transferred", "submitted"),
    ("transferred", "submitted", "ready"),
)
"""Where the desks take a question, one state after another."""
MORE = " Xin bổ sung: hồ sơ nộp trực tuyến."
"""What an amendment adds. The rules make of a text with it what they make of the text without it."""
CODE = re.compile(r'<p class="code"[^>]*>\s*((?:[A-Z2-9]{4}-){3}[A-Z2-9]{4})\s*</p>')
NUMBER = re.compile(r"\b[A-Z]{2}-\d{4}-\d{6}\b")


class Way(StrEnum):
    """How a request comes in."""

    REGISTRATION = "registrations"
    FEEDBACK = "feedback"
    FORM = "forms"
    """The public form without a proof of work: held."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client was told, and when (monotonic seconds). Status 0: nothing, or only that the connection broke."""

    began: float
    ended: float
    status: int
    code: str = ""
    case_number: str = ""
    retry_after: str = ""

    @property
    def told(self) -> str:
        """ok, failed (a clear no), unknown (no answer, or the proxy's)."""
        if self.status in (200, 201, 303):
            return "ok"
        return "unknown" if self.status in (0, 500, 502, 504) else "failed"


@dataclass(frozen=True, slots=True)
class Move:
    """A question was put into a state, and before a unit, as somebody at a desk was told."""

    state: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """What a registrant does later on with one section: it gets another text, or (None) is taken back."""

    section: int
    text: str | None


@dataclass
class Sent:
    """One request as its client knows it: every answer to it, to its repetition, to other content under its key, and to what
    its client did with it later.
    """

    key: str
    agency: str
    email: str
    body: dict[str, Any]
    way: Way = Way.REGISTRATION
    let_go: bool = False
    """Of a form: the office means to let it go on."""
    released: bool = False
    """Of a form: the office was told that it went on."""
    answers: list[Answer] = field(default_factory=list)
    repeated: list[Answer] = field(default_factory=list)
    changed: list[Answer] = field(default_factory=list)
    path: Sequence[str] = ()
    """Where the desks take its first question."""
    moved: list[Move] = field(default_factory=list)
    later: Later | None = None
    told_later: list[Answer] = field(default_factory=list)

    @property
    def every_answer(self) -> list[Answer]:
        """All that its client was told."""
        return [*self.answers, *self.repeated, *self.changed, *self.told_later]

    @property
    def first_section(self) -> int:
        """The section whose question the desks move."""
        return int(self.body["sections"][0]["no"])

    @property
    def next_state(self) -> str:
        """Where its first question goes next; "": it stays."""
        return self.path[len(self.moved)] if len(self.moved) < len(self.path) else ""

    @property
    def is_changed(self) -> bool:
        """Whether its client was told that the later change is done."""
        return any(answer.told == "ok" for answer in self.told_later)

    @property
    def withdrawn(self) -> list[int]:
        """The sections that were taken back, as its client was told."""
        return [self.later.section] if self.later is not None and self.later.text is None and self.is_changed else []

    @property
    def new_text(self) -> str:
        """What the section of `later` got, as its client was told; "": nothing."""
        return (self.later.text or "") if self.later is not None and self.is_changed else ""

    @property
    def goes_on(self) -> bool:
        """Whether routing gets to see it: what is held and stays so leads to no case, no letter, no number in a report."""
        return self.way is not Way.FORM or self.let_go

    @property
    def kept_in(self) -> str:
        """Intake's collection where it is when all has settled."""
        if self.way is Way.FEEDBACK:
            return "feedback"
        return "registrations" if self.goes_on else "held"

    @property
    def texts(self) -> Sequence[tuple[int | None, str]]:
        """What becomes questions: number of the section, and text. Feedback has no sections."""
        if self.way is Way.FEEDBACK:
            return [(None, self.body["text"])]
        return [(section["no"], section["text"]) for section in self.body["sections"]]

    @property
    def _yes(self) -> Answer | None:
        return next((a for a in self.answers if a.told == "ok"), None)

    @property
    def accepted(self) -> bool:
        return self._yes is not None

    @property
    def code(self) -> str:
        return self._yes.code if self._yes else ""

    @property
    def case_number(self) -> str:
        return self._yes.case_number if self._yes else ""


class Load:
    """Sends requests at a rate, each until it is accepted; the same key on every try.

    `mixed` False: registrations by the API alone. `moves_on`: nothing stays as it came; the office lets go every second form that
    is held, questions are moved, registrants amend and take back.
    """

    def __init__(
        self,
        base: str,
        plans: dict[str, str],
        consents: dict[str, str],
        seed: int,
        *,
        patience: float = 20,
        mixed: bool = True,
    ) -> None:
        self.sent: list[Sent] = []
        self.in_flight = 0
        self.accepted = 0
        """Those that were told yes and go on; of what is held, those that were let go."""
        self.mixed = mixed
        self.moves_on = True
        self.seconds = 0.0
        self._plans, self._consents = plans, consents
        self._chance = random.Random(seed)
        self._client = httpx.AsyncClient(base_url=base, timeout=patience, limits=httpx.Limits(max_connections=CONNECTIONS))
        self._free = asyncio.Semaphore(CONNECTIONS)
        """Waiting here is cheap; each request that waits inside httpx makes every other one slower."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []
        self._stopped = False

    def answers(self) -> list[Answer]:
        """All that all clients were told."""
        return [answer for sent in self.sent for answer in sent.every_answer]

    def told(self) -> Counter[str]:
        """How often clients were told what about a request."""
        return Counter(answer.told for sent in self.sent for answer in sent.answers)

    async def run(self, rate: int) -> None:
        """Start `rate` requests a second until `stop`, whatever becomes of those before."""
        began = monotonic()
        n = 0
        while not self._stopped:
            await asyncio.sleep(max(0.0, began + n / rate - monotonic()))
            self._begin()
            n += 1
        self.seconds += monotonic() - began

    def stop(self) -> None:
        """Start no more."""
        self._stopped = True

    def forget_all_but(self, emails: set[str]) -> int:
        """Leave out what a restore lost; returns how many."""
        before = len(self.sent)
        self.sent = [sent for sent in self.sent if sent.email in emails]
        return before - len(self.sent)

    def burst(self, count: int) -> None:
        """Start many at once."""
        for _ in range(count):
            self._begin()

    async def finish(self) -> None:
        """Wait until every client was told yes. Raises what a client met that no service should say."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._client.aclose()
        if self._errors:
            raise self._errors[0]

    def of(self, way: Way) -> list[Sent]:
        """What came in one way."""
        return [sent for sent in self.sent if sent.way is way]

    def going_on(self) -> list[Sent]:
        """What routing gets to see."""
        return [sent for sent in self.sent if sent.goes_on]

    def to_release(self) -> list[Sent]:
        """Forms that are held and that the office still has to let go."""
        return [s for s in self.sent if s.let_go and not s.released and s.accepted]

    def note_released(self, sent: Sent) -> None:
        """The office was told that it went on."""
        sent.released = True
        self.accepted += 1

    def to_move(self) -> list[Sent]:
        """What has a question that the desks still have to move."""
        return [s for s in self.sent if s.next_state and s.accepted]

    def letters(self) -> int:
        """How many letters all this leads to: a receipt, a confirmation of what a registrant did, a unit's of a question."""
        transfers = sum(move.state == "transferred" for sent in self.sent for move in sent.moved)
        return len(self.going_on()) + sum(sent.is_changed for sent in self.sent) + transfers

    def make(self) -> Sent:
        """One more registration, which the caller sends and whose answers the caller notes."""
        return self._make(len(self.sent), Way.REGISTRATION)

    def register(self) -> Sent:
        """Send one more registration."""
        sent = self.make()
        self._spawn(self._client_of(0, sent))
        return sent

    def submit(self, *registrations: Sent) -> None:
        """Send these as well."""
        for sent in registrations:
            self.sent.append(sent)
            self._spawn(self._client_of(0, sent))

    def _begin(self) -> None:
        n = len(self.sent)
        sent = self._make(n, self._way(n))
        if self.mixed and self.moves_on and sent.way is Way.REGISTRATION:
            self._plan_on(n, sent)
        self._spawn(self._client_of(n, sent))

    def _plan_on(self, n: int, sent: Sent) -> None:
        """What becomes of it later on."""
        section = sent.body["sections"][0]
        if n % MOVED_EVERY == 4:
            sent.path = PATHS[n // MOVED_EVERY % len(PATHS)]
            amended = n // MOVED_EVERY % BOTH_EVERY == 0
        else:
            amended = n % AMENDED_EVERY == 8
        if amended:
            sent.later = Later(section["no"], section["text"] + MORE)
        elif not sent.path and n % WITHDRAWN_EVERY == 9:
            sent.later = Later(section["no"], None)

    def _way(self, n: int) -> Way:
        if self.mixed and n % FORMS_EVERY == 5:
            return Way.FORM
        return Way.FEEDBACK if self.mixed and n % FEEDBACK_EVERY == 3 else Way.REGISTRATION

    def _spawn(self, client: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(client)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._errors.append(error)

    def _make(self, n: int, way: Way) -> Sent:
        agency = self._chance.choice(list(SECTIONS))
        body = {
            "kind": self._chance.choice(KINDS),
            "person": {
                "name": f"Người Thử Số {n}",
                "address": "Tổ 1, phường Thử Nghiệm",
                "phone": "+84912345678",
                "email": f"thu{n}@hop-thu.example",
            },
            "consent_version": self._consents[agency],
            **(self._feedback(n) if way is Way.FEEDBACK else self._registration(n, agency)),
        }
        let_go = self.moves_on and way is Way.FORM and len(self.of(way)) % 2 == 0
        sent = Sent(f"thu-nghiem-{n:06d}", agency, f"thu{n}@hop-thu.example", body, way, let_go)
        self.sent.append(sent)
        return sent

    def _registration(self, n: int, agency: str) -> dict[str, Any]:
        numbers = self._chance.sample(range(1, SECTIONS[agency] + 1), self._chance.randint(1, 2))
        sections = [{"no": no, "text": f"{self._chance.choice(TEXTS)} ({n})"} for no in sorted(numbers)]
        return {"plan": self._plans[agency], "sections": sections}

    def _feedback(self, n: int) -> dict[str, Any]:
        return {"group": self._chance.choice(GROUPS), "text": f"{self._chance.choice(TEXTS)} ({n})"}

    async def _client_of(self, n: int, sent: Sent) -> None:
        await self._until(sent, sent.body, sent.answers)
        self.accepted += sent.way is not Way.FORM
        if n % REPEATED_EVERY == 7:
            await self._until(sent, sent.body, sent.repeated)
        if n % REPEATED_EVERY == 13 and sent.way is not Way.FORM:  # the same page with other content is another form
            await self._until(sent, _with_other_content(sent), sent.changed)
        if sent.later is not None:
            await asyncio.sleep(n % 5)  # some before routing has it, some while it is moved
            await self._later(sent, sent.later)

    async def _later(self, sent: Sent, later: Later) -> None:
        """Send it with the code until there is a clear answer. What the page offered may have changed when a unit got the
        question meanwhile: then the same text is added to it.
        """
        mode, pause = "amend", 0.2
        while True:
            answer = await self._ask(lambda: self._later_request(sent, later, mode))  # noqa: B023 - awaited at once
            sent.told_later.append(answer)
            if answer.status in (303, 400, 403, 404, 422):
                return
            if answer.status == 409:
                mode = "add" if mode == "amend" else "amend"
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    def _later_request(self, sent: Sent, later: Later, mode: str) -> httpx.Request:
        if later.text is None:
            path, fields = "rut", {"sections": str(later.section), "confirm": "true"}
        else:
            path, fields = f"noi-dung/{later.section}", {"text": later.text, "mode": mode}
        return self._client.build_request("POST", f"/{sent.agency}/tra-cuu/{path}", data={"code": sent.code, **fields})

    async def _until(self, sent: Sent, body: dict[str, Any], answers: list[Answer]) -> None:
        """Send until there is a clear answer: accepted, or refused for what it is (409)."""
        pause = 0.2
        while True:
            answer = await self._try(sent, body)
            answers.append(answer)
            assert answer.status in _KNOWN, answer
            if answer.status in (200, 201, 409):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    async def _try(self, sent: Sent, body: dict[str, Any]) -> Answer:
        return await self._ask(lambda: self._request(sent, body), lambda answer: _shown(sent, answer))

    async def _ask(
        self, request: Callable[[], httpx.Request], shown: Callable[[httpx.Response], tuple[str, str]] = lambda _: ("", "")
    ) -> Answer:
        async with self._free:
            began = monotonic()
            self.in_flight += 1
            try:
                answer = await self._client.send(request())
            except httpx.HTTPError:
                return Answer(began, monotonic(), 0)
            finally:
                self.in_flight -= 1
        status = answer.status_code
        code, case_number = shown(answer) if status in (200, 201) else ("", "")
        return Answer(began, monotonic(), status, code, case_number, answer.headers.get("Retry-After", ""))

    def _request(self, sent: Sent, body: dict[str, Any]) -> httpx.Request:
        if sent.way is Way.FORM:
            return self._client.build_request("POST", f"/{sent.agency}/dang-ky/{body['plan']}", data=_fields(sent.key, body))
        path = f"/api/v1/{sent.agency}/{sent.way}"
        return self._client.build_request("POST", path, json=body, headers={"Idempotency-Key": sent.key})


_KNOWN = (0, 200, 201, 409, 429, 500, 502, 503, 504)


def _fields(nonce: str, body: dict[str, Any]) -> dict[str, str]:
    """A registration as the public form sends it, without a proof of work."""
    fields = {"nonce": nonce, "kind": body["kind"], "consent": body["consent_version"], **body["person"]}
    return fields | {f"sections.{section['no']}": section["text"] for section in body["sections"]}


def _with_other_content(sent: Sent) -> dict[str, Any]:
    other = copy.deepcopy(sent.body)
    (other if sent.way is Way.FEEDBACK else other["sections"][0])["text"] += " (nội dung khác)"
    return other


def _shown(sent: Sent, answer: httpx.Response) -> tuple[str, str]:
    """The tracking code and the case number of a receipt."""
    if sent.way is not Way.FORM:
        receipt = answer.json()
        return receipt["tracking_code"], receipt["case_number"]
    page = unescape(answer.text)
    code, number = CODE.search(page), NUMBER.search(page)
    assert code is not None, page
    assert number is not None, page
    return code[1], number[0]
