"""A load that remembers what each client was told, so that the checks rest on that and not on any log.

Most of it is registrations by the API; one request in `FEEDBACK_EVERY` is feedback by the API (K2), one in `FORMS_EVERY` is the
public form without its proof of work, which is held until the office lets it go (`tests/faults/office.py`).
"""

import asyncio
import copy
import random
import re
from collections import Counter
from collections.abc import Coroutine, Sequence
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
        if self.status in (200, 201):
            return "ok"
        return "unknown" if self.status in (0, 500, 502, 504) else "failed"


@dataclass
class Sent:
    """One request as its client knows it: every answer to it, to its repetition, and to other content under its key."""

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

    `mixed` False: registrations by the API alone. `lets_go`: the office lets go every second form that is held.
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
        self.lets_go = True
        self.seconds = 0.0
        self._plans, self._consents = plans, consents
        self._chance = random.Random(seed)
        self._client = httpx.AsyncClient(base_url=base, timeout=patience, limits=httpx.Limits(max_connections=CONNECTIONS))
        self._free = asyncio.Semaphore(CONNECTIONS)
        """Waiting here is cheap; each request that waits inside httpx makes every other one slower."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def answers(self) -> list[Answer]:
        """All that all clients were told."""
        return [a for sent in self.sent for a in (*sent.answers, *sent.repeated, *sent.changed)]

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
        """Wait until every client was told yes."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._client.aclose()

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
        self._spawn(self._client_of(n, self._make(n, self._way(n))))

    def _way(self, n: int) -> Way:
        if self.mixed and n % FORMS_EVERY == 5:
            return Way.FORM
        return Way.FEEDBACK if self.mixed and n % FEEDBACK_EVERY == 3 else Way.REGISTRATION

    def _spawn(self, client: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(client)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        let_go = self.lets_go and way is Way.FORM and len(self.of(way)) % 2 == 0
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

    async def _until(self, sent: Sent, body: dict[str, Any], answers: list[Answer]) -> None:
        """Send until there is a clear answer: accepted, or refused for what it is (409)."""
        pause = 0.2
        while True:
            answer = await self._try(sent, body)
            answers.append(answer)
            if answer.status in (200, 201, 409):
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    async def _try(self, sent: Sent, body: dict[str, Any]) -> Answer:
        async with self._free:
            began = monotonic()
            self.in_flight += 1
            try:
                answer = await self._client.send(self._request(sent, body))
            except httpx.HTTPError:
                return Answer(began, monotonic(), 0)
            finally:
                self.in_flight -= 1
        status = answer.status_code
        if status not in (200, 201, 409, 429, 500, 502, 503, 504):
            raise AssertionError(f"{status} {answer.text[:300]}")
        code, case_number = _shown(sent, answer) if status in (200, 201) else ("", "")
        return Answer(began, monotonic(), status, code, case_number, answer.headers.get("Retry-After", ""))

    def _request(self, sent: Sent, body: dict[str, Any]) -> httpx.Request:
        if sent.way is Way.FORM:
            return self._client.build_request("POST", f"/{sent.agency}/dang-ky/{body['plan']}", data=_fields(sent.key, body))
        path = f"/api/v1/{sent.agency}/{sent.way}"
        return self._client.build_request("POST", path, json=body, headers={"Idempotency-Key": sent.key})


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
