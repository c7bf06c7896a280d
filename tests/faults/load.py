"""A load of registrations that remembers what each client was told, so that the checks rest on that and not on any log."""

import asyncio
import copy
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
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


CONNECTIONS = 200
REPEATED_EVERY = 20
"""Of so many registrations one is sent again when it is accepted, and another one with other content under its key."""


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
    """One registration as its client knows it: every answer to it, to its repetition, and to other content under its key."""

    key: str
    agency: str
    email: str
    body: dict[str, Any]
    answers: list[Answer] = field(default_factory=list)
    repeated: list[Answer] = field(default_factory=list)
    changed: list[Answer] = field(default_factory=list)

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
    """Sends registrations at a rate, each until it is accepted; the same Idempotency-Key on every try."""

    def __init__(self, base: str, plans: dict[str, str], consents: dict[str, str], seed: int, *, patience: float = 20) -> None:
        self.sent: list[Sent] = []
        self.in_flight = 0
        self.accepted = 0
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
        """How often clients were told what about a registration."""
        return Counter(answer.told for sent in self.sent for answer in sent.answers)

    async def run(self, rate: int) -> None:
        """Start `rate` registrations a second until `stop`, whatever becomes of those before."""
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

    def make(self) -> Sent:
        """One more registration, which the caller sends and whose answers the caller notes."""
        return self._make(len(self.sent))

    def submit(self, *registrations: Sent) -> None:
        """Send these as well."""
        for sent in registrations:
            self.sent.append(sent)
            self._spawn(self._client_of(0, sent))

    def _begin(self) -> None:
        n = len(self.sent)
        self._spawn(self._client_of(n, self._make(n)))

    def _spawn(self, client: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(client)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _make(self, n: int) -> Sent:
        agency = self._chance.choice(list(SECTIONS))
        numbers = self._chance.sample(range(1, SECTIONS[agency] + 1), self._chance.randint(1, 2))
        body = {
            "plan": self._plans[agency],
            "kind": self._chance.choice(KINDS),
            "person": {
                "name": f"Người Thử Số {n}",
                "address": "Tổ 1, phường Thử Nghiệm",
                "phone": "+84912345678",
                "email": f"thu{n}@hop-thu.example",
            },
            "sections": [{"no": no, "text": f"{self._chance.choice(TEXTS)} ({n})"} for no in sorted(numbers)],
            "consent_version": self._consents[agency],
        }
        sent = Sent(f"thu-nghiem-{n:06d}", agency, f"thu{n}@hop-thu.example", body)
        self.sent.append(sent)
        return sent

    async def _client_of(self, n: int, sent: Sent) -> None:
        await self._until(sent, sent.body, sent.answers)
        self.accepted += 1
        if n % REPEATED_EVERY == 7:
            await self._until(sent, sent.body, sent.repeated)
        if n % REPEATED_EVERY == 13:
            other = copy.deepcopy(sent.body)
            other["sections"][0]["text"] += " (nội dung khác)"
            await self._until(sent, other, sent.changed)

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
                answer = await self._client.post(
                    f"/api/v1/{sent.agency}/registrations", json=body, headers={"Idempotency-Key": sent.key}
                )
            except httpx.HTTPError:
                return Answer(began, monotonic(), 0)
            finally:
                self.in_flight -= 1
        status = answer.status_code
        if status not in (200, 201, 409, 429, 500, 502, 503, 504):
            raise AssertionError(f"{status} {answer.text[:300]}")
        shown = answer.json() if status in (200, 201) else {}
        return Answer(
            began,
            monotonic(),
            status,
            shown.get("tracking_code", ""),
            shown.get("case_number", ""),
            answer.headers.get("Retry-After", ""),
        )
