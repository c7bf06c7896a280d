"""The desks at which questions move on: transferred to a unit, returned, transferred again, handed over, approved; on the staff
pages, through every fault.

A transfer is pressed by two people at once, with what both saw: routing's compare-and-set lets one of them have it. A move
counts as confirmed when a page said so, or when an earlier press that was not answered turns out to have been taken.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from cli.browser import Page, UnexpectedAnswer
from cli.up import sign_ins
from deploy.local.stack import LocalStack
from kit.mongo import Document
from tests.faults.load import Load, Move, Sent
from tests.faults.watching import Watcher

PATIENCE = 10.0
"""Seconds for a page or a query: one that a fault met may never end by itself."""
NOT_NOW = (UnexpectedAnswer, httpx.HTTPError, PyMongoError, TimeoutError)
ASSIGNERS = {"son-la": "leadership", "bac-kan": "office"}
"""Who transfers, by the profiles' `assign_by`."""
CATCH_ALL = ("van-phong", "thanh-tra")
"""The unit for what has no proposal and for what another unit returned; the second where the first was the one that returned."""
FIELDS = ("state", "seq", "unit", "proposal", "steps", "transfers")
REFUSED = re.compile(r"<li>\s*([A-Z]{2}-\d{4}-\d{6}): ")

Moving = tuple[Sent, Document]
"""What was sent, and its first question as it is now."""


class Person:
    """Somebody at a desk, signed in from the first press on."""

    def __init__(self, base: str, account: dict[str, str]) -> None:
        self._base, self._account = base, account
        self._client = httpx.AsyncClient(base_url=base, timeout=PATIENCE)
        self._token = ""

    async def press(self, path: str, fields: dict[str, Any]) -> httpx.Response:
        """Send a form of the desk. Raises `UnexpectedAnswer` for what is neither done nor refused as outdated."""
        if not self._token:
            self._token = await self._signed_in()
        here = f"/{self._account['agency']}/can-bo/{path}"
        origin = urlsplit(self._base)
        headers = {"Origin": f"{origin.scheme}://{origin.netloc}", "Referer": f"{self._base}{here}"}
        answer = await self._client.post(here, data={"csrf": self._token, **fields}, headers=headers)
        if answer.status_code != 409 and not (answer.status_code == 303 and "?da=" in answer.headers["location"]):
            self._token = ""  # whoever is signed out signs in again
            raise UnexpectedAnswer(f"{here} answered {answer.status_code}")
        return answer

    async def _signed_in(self) -> str:
        desk = f"/{self._account['agency']}/can-bo"
        fields = {"username": self._account["login"], "password": self._account["password"]}
        await self._client.post(f"{desk}/dang-nhap", data=fields)
        return Page(await self._client.get(f"{desk}/mat-khau")).form(having="csrf").value("csrf")

    async def close(self) -> None:
        await self._client.aclose()


class Desk:
    """Everybody who moves questions, of all agencies."""

    def __init__(self, stack: LocalStack, watcher: Watcher, load: Load) -> None:
        self._stack, self._watcher, self._load = stack, watcher, load
        self._people: dict[tuple[str, str], list[Person]] = {}
        self._questions: dict[str, Any] = {}
        """Key of what was sent → the id of its first question, once routing has it."""

    async def look(self) -> int:
        """Take every question that is to be moved one step on; returns how many are still on their way.

        One that is not where it was confirmed to be is left alone: that is for the checker to say.
        """
        on_their_way = self._load.to_move()
        if not on_their_way:
            return 0
        seen = await self._seen(on_their_way)
        waiting = [(sent, row) for sent, row in seen if _is_where_it_was_put(sent, row)]
        elsewhere = {sent.key for sent, row in seen} - {sent.key for sent, _ in waiting}
        transfers: defaultdict[tuple[str, str], list[Moving]] = defaultdict(list)
        for sent, row in waiting:
            if sent.next_state == "transferred":
                transfers[sent.agency, _unit_for(row)].append((sent, row))
        for (agency, unit), moving in transfers.items():
            await self._transfer(agency, unit, moving)
        for sent, row in waiting:
            await self._act(sent, row)
        return sum(sent.key not in elsewhere for sent in self._load.to_move())

    async def _seen(self, moving: Sequence[Sent]) -> list[Moving]:
        """The questions that are there, as no failover can take them back, after noting what was done without an answer."""
        await self._find([sent for sent in moving if sent.key not in self._questions])
        by_id = {self._questions[sent.key]: sent for sent in moving if sent.key in self._questions}
        questions = self._watcher.database("routing")["questions"].with_options(read_concern=ReadConcern("majority"))
        async with asyncio.timeout(PATIENCE):
            rows = await questions.find({"_id": {"$in": list(by_id)}}, FIELDS).to_list(None)
        for row in rows:
            sent = by_id[row["_id"]]
            for step in row["steps"][len(sent.moved) + 1 :]:
                sent.moved.append(Move(step["state"], _unit_at(row, step)))
        return [(by_id[row["_id"]], row) for row in rows]

    async def _find(self, new: Sequence[Sent]) -> None:
        by_number = {sent.case_number: sent for sent in new}
        query = {"agency": {"$in": list(ASSIGNERS)}, "case_number": {"$in": list(by_number)}}
        async with asyncio.timeout(PATIENCE):
            cases = await self._watcher.rows("routing", "cases", query, fields=["case_number"])
            by_case = {case["_id"]: by_number[case["case_number"]] for case in cases}
            query = {"agency": {"$in": list(ASSIGNERS)}, "case": {"$in": list(by_case)}}
            for row in await self._watcher.rows("routing", "questions", query, fields=["case", "section_no"]):
                sent = by_case[row["case"]]
                if row["section_no"] == sent.first_section:
                    self._questions[sent.key] = row["_id"]

    async def _transfer(self, agency: str, unit: str, moving: Sequence[Moving]) -> None:
        """Two people press at once; each question is confirmed to whom its page did not refuse it."""
        ids = [f"{row['_id']}.{row['seq']}" for _, row in moving]
        pressed = [person.press("phan-loai", {"ids": ids, "unit": unit}) for person in self._of(agency, ASSIGNERS[agency])[:2]]
        for answer in await asyncio.gather(*pressed, return_exceptions=True):
            if isinstance(answer, NOT_NOW):
                continue
            if isinstance(answer, BaseException):
                raise answer
            refused = set(REFUSED.findall(answer.text)) if answer.status_code == 409 else set()
            for sent, row in moving:
                if sent.case_number not in refused:
                    sent.moved.append(Move("transferred", unit or row["proposal"]["unit"]))

    async def _act(self, sent: Sent, row: Document) -> None:
        """What one person of the unit, or the leadership, does on one question."""
        here, seen = f"noi-dung/{row['_id']}", {"seen": row["seq"]}
        head = f"head ({row['unit']})"
        match sent.next_state if _is_where_it_was_put(sent, row) else "":  # not what was transferred a moment ago
            case "returned":
                who, path, fields = head, f"{here}/chuyen-lai", {**seen, "reason": "Không thuộc trách nhiệm của đơn vị."}
            case "submitted":
                draft = {"kind": "answer", "text": "Hồ sơ nộp tại Trung tâm, trả trong 5 ngày.", "then": "trinh-lanh-dao"}
                who, path, fields = head, f"{here}/du-thao", {**seen, **draft}
            case "ready":
                who, path, fields = "leadership", f"{here}/duyet", seen
            case _:
                return
        answer = await self._of(sent.agency, who)[0].press(path, fields)
        if answer.status_code == 303:
            sent.moved.append(Move(sent.next_state))

    def _of(self, agency: str, role: str) -> list[Person]:
        """The people of one role: office, leadership, head (unit)."""
        if (agency, role) not in self._people:
            accounts = [a for a in sign_ins(self._stack) if (a["agency"], a["role"]) == (agency, role)]
            self._people[agency, role] = [Person(self._stack.public_url, account) for account in accounts]
        return self._people[agency, role]

    async def close(self) -> None:
        for people in self._people.values():
            for person in people:
                await person.close()


def _is_where_it_was_put(sent: Sent, row: Document) -> bool:
    """Whether its history is its first state and the confirmed moves."""
    return len(row["steps"]) == 1 + len(sent.moved)


def _unit_for(row: Document) -> str:
    """Whom a question is transferred to; "": whom the software proposed, as the page offers."""
    if row["state"] == "proposed":
        return ""
    returned_by = row["transfers"][-1]["unit"] if row["transfers"] else ""
    return next(unit for unit in CATCH_ALL if unit != returned_by)


def _unit_at(row: Document, step: Document) -> str:
    """The unit that a step put the question before."""
    return next((t["unit"] for t in row["transfers"] if t["at"] == step["at"]), "") if step["state"] == "transferred" else ""
