"""A load of registrations that remembers what each client was told, so that the checks rest on that and not on any log."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
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


@dataclass
class Sent:
    """One registration as its client knows it. `told`: ok, failed (a clear no), unknown (no answer, or the proxy's)."""

    key: str
    agency: str
    email: str
    body: dict[str, Any]
    told: list[str] = field(default_factory=list)
    case_number: str = ""
    code: str = ""

    @property
    def accepted(self) -> bool:
        return bool(self.code)


class Load:
    """Sends registrations at a rate, each until it is accepted; the same Idempotency-Key on every try."""

    def __init__(self, base: str, plans: dict[str, str], consents: dict[str, str], seed: int) -> None:
        self.sent: list[Sent] = []
        self.in_flight = 0
        self._plans, self._consents = plans, consents
        self._chance = random.Random(seed)
        self._client = httpx.AsyncClient(base_url=base, timeout=10, limits=httpx.Limits(max_connections=200))
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def accepted(self) -> int:
        return sum(sent.accepted for sent in self.sent)

    async def run(self, rate: int, seconds: float) -> None:
        """Start `rate` registrations a second for `seconds`, whatever becomes of those before."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for n in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + n / rate - loop.time()))
            self._begin()

    def burst(self, count: int) -> None:
        """Start many at once."""
        for _ in range(count):
            self._begin()

    async def finish(self) -> None:
        """Wait until every client was told yes."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._client.aclose()

    def told(self) -> Counter[str]:
        """How often clients were told what."""
        return Counter(answer for sent in self.sent for answer in sent.told)

    def _begin(self) -> None:
        task = asyncio.create_task(self._until_accepted(self._make(len(self.sent))))
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
                "phone": "0912345678",
                "email": f"thu{n}@hop-thu.example",
            },
            "sections": [{"no": no, "text": f"{self._chance.choice(TEXTS)} ({n})"} for no in sorted(numbers)],
            "consent_version": self._consents[agency],
        }
        sent = Sent(f"thu-nghiem-{n:06d}", agency, f"thu{n}@hop-thu.example", body)
        self.sent.append(sent)
        return sent

    async def _until_accepted(self, sent: Sent) -> None:
        pause = 0.2
        while not sent.accepted:
            await self._try(sent)
            if not sent.accepted:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 2.0)

    async def _try(self, sent: Sent) -> None:
        self.in_flight += 1
        try:
            answer = await self._client.post(
                f"/api/v1/{sent.agency}/registrations", json=sent.body, headers={"Idempotency-Key": sent.key}
            )
        except httpx.HTTPError:
            sent.told.append("unknown")
            return
        finally:
            self.in_flight -= 1
        if answer.status_code in (200, 201):
            sent.told.append("ok")
            sent.case_number, sent.code = answer.json()["case_number"], answer.json()["tracking_code"]
        elif answer.status_code in (500, 502, 504):
            sent.told.append("unknown")
        elif answer.status_code in (429, 503):
            sent.told.append("failed")
        else:
            raise AssertionError(f"{answer.status_code} {answer.text[:300]}")
