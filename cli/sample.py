"""`doithoai sample`: the sample agencies' plans, dialogues and staff, moved to today, for demonstrations and the local stack."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from contracts.model import PlanState
from deploy.local.stack import write_private
from kit import mongo
from kit.acting import Acting
from kit.agency import Agency
from kit.clock import format_date, local_date, start_of_day, system_clock
from kit.kafka import KafkaPublisher
from kit.logging import configure
from kit.outbox import Relay
from kit.periods import PlanQuarter
from kit.samples import Sample, SampleAccount, SampleDialogue, load_sample
from kit.service import Service
from services.routing.bootstrap import bootstrap
from services.routing.context import Routing
from services.routing.dialogues import usecases as dialogues
from services.routing.dialogues.domain import Terms
from services.routing.settings import RoutingSettings
from services.routing.staff import usecases as staff

ACTOR = "system:sample"
STDOUT = Path("/dev/stdout")
OPEN_FOR = timedelta(weeks=3)
"""Registration is open since then, and for about as long again."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sample account that was just made; its password is told here and nowhere else."""

    agency: str
    role: str
    login: str
    password: str


SignInsFile = Annotated[
    Path, typer.Option("--sign-ins", help="Where the passwords of new accounts are written; those made before are kept in it")
]


QuickHashes = Annotated[bool, typer.Option("--quick-hashes", help="Hash the random passwords quickly, for a stack of a test")]
Answers = Annotated[bool, typer.Option("--answers", help="Also what was answered before: a dialogue that was held, and feedback")]


def sample(sign_ins: SignInsFile = STDOUT, answers: Answers = False, quick_hashes: QuickHashes = False) -> None:
    """Load the sample agencies: doing it again changes nothing."""
    configure("sample")
    settings = RoutingSettings()
    made = asyncio.run(load_samples(settings, local_date(system_clock()), quick_hashes=quick_hashes))
    _write(sign_ins, made)
    if answers:
        from cli.answered import load_answered  # all of intake: the other uses of this command need none of it
        from services.intake.settings import IntakeSettings

        asyncio.run(load_answered(settings, IntakeSettings(), system_clock()))


async def load_samples(
    settings: RoutingSettings, today: date | None, *, accounts: bool = True, quick_hashes: bool = False
) -> list[SignIn]:
    """Publish every sample agency's plan and dialogues and open its accounts; returns the accounts that are new.

    `today`: dates are moved so that registration is open then; None leaves those of the source documents. What is there already
    stays as it is. `quick_hashes`: of the accounts' random passwords; slow ones are most of what loading takes.
    """
    routing, service = bootstrap(settings)
    made: list[SignIn] = []
    async with publishing(service):
        for agency in routing.agencies.values():
            sample_of = load_sample(settings.agencies_dir, agency)
            await _announce(routing, agency, sample_of if today is None else moved(sample_of, today))
            if accounts:
                made += await _open_accounts(routing, agency, sample_of.staff, quick_hashes)
    return made


@asynccontextmanager
async def publishing(service: Service) -> AsyncIterator[None]:
    """What a service's use cases need while it does not run: its relay. All is published, and closed, afterwards."""
    relay = Relay(service.publisher, service.outboxes)
    try:
        yield
    finally:
        await relay.stop()
        if isinstance(service.publisher, KafkaPublisher):
            await service.publisher.stop()
        await mongo.close(service.client)


def plan_id(agency: str, year: int) -> str:
    """son-la-2022."""
    return f"{agency}-{year}"


async def _announce(routing: Routing, agency: Agency, sample_of: Sample) -> None:
    plan = sample_of.plan
    if await announced(routing, agency, plan.number) is None:
        state = PlanState(
            number=plan.number,
            year=plan.year,
            title=plan.title,
            subjects=plan.subjects,
            chair=plan.chair,
            opens_at=plan.opens_at,
            issued_on=plan.issued_on,
            postings=tuple(p.place if p.on is None else f"{p.place} ({format_date(p.on)})" for p in plan.postings),
            sample=True,
        )
        await dialogues.publish_plan(routing, _acting(routing, agency), state, plan_id=plan_id(agency.code, plan.year))
    known = await announced(routing, agency, plan.number)
    assert known is not None  # noqa: S101 - it was just published
    for dialogue in sample_of.dialogues:
        await dialogues.add_dialogue(
            routing, _acting(routing, agency), known, dialogue.ordinal, _terms(dialogue, sample_of.plan.opens_at)
        )


async def announced(routing: Routing, agency: Agency, number: str) -> str | None:
    """The sample plan of this number, in whatever year it was announced."""
    known = await routing.plans.collection.find_one({"agency": agency.code, "sample": True, "number": number}, {"_id": 1})
    return str(known["_id"]) if known else None


def _terms(dialogue: SampleDialogue, opens_at: datetime) -> Terms:
    return Terms(
        window_from=dialogue.window_from,
        window_to=dialogue.window_to,
        starts_at=dialogue.starts_at,
        opens_at=opens_at,
        closes_at=dialogue.closes_at,
        place=dialogue.place,
        mode=dialogue.mode,
        invitations_due=dialogue.invitations_due,
    )


async def _open_accounts(routing: Routing, agency: Agency, accounts: Iterable[SampleAccount], quick_hashes: bool) -> list[SignIn]:
    """Several at once: hashing a password takes long by design."""
    opened = await asyncio.gather(*(_open_account(routing, agency, account, quick_hashes) for account in accounts))
    return [sign_in for sign_in in opened if sign_in is not None]


async def _open_account(routing: Routing, agency: Agency, account: SampleAccount, quick_hash: bool) -> SignIn | None:
    if await routing.staff.account(agency.code, account.username) is not None:
        return None
    password = secrets.token_urlsafe(12)  # 96 bits
    await staff.create_account(
        routing.staff,
        agency,
        _acting(routing, agency),
        username=account.username,
        name=account.name,
        roles=account.roles,
        unit=account.unit,
        permissions=account.permissions,
        password=password,
        quick_hash=quick_hash,
    )
    role = ", ".join(account.roles) + (f" ({account.unit})" if account.unit else "")
    return SignIn(agency.code, role, account.username, password)


def _acting(routing: Routing, agency: Agency) -> Acting:
    return Acting(agency.code, ACTOR, routing.clock())


def _write(path: Path, made: Sequence[SignIn]) -> None:
    """Passwords are kept readable by this user alone, those of earlier runs with them."""
    rows = [{"agency": s.agency, "role": s.role, "login": s.login, "password": s.password} for s in made]
    if path == STDOUT:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    write_private(path, json.dumps([*before, *rows], ensure_ascii=False, indent=2))


# Moving the dates


def moved(sample_of: Sample, today: date) -> Sample:
    """The same plan around `today`: registration open since three weeks, what is dated closes in about three weeks.

    Dated dialogues move by whole weeks, so that a Saturday stays a Saturday; announced ones by whole quarters, but none beyond
    the year that the plan is then for: what would come after it shares the last quarter.
    """
    weeks = _weeks(sample_of.dialogues, today)
    first = PlanQuarter.of(today + timedelta(weeks=4))
    quarters = _quarters(sample_of.dialogues, first)
    dialogues_moved = tuple(_moved(dialogue, weeks, quarters, first.year) for dialogue in sample_of.dialogues)
    year = _year_of(dialogues_moved[0])
    plan = sample_of.plan
    opens_at = min(plan.opens_at + weeks, start_of_day(today - OPEN_FOR)) if weeks else start_of_day(today - OPEN_FOR)
    moved_plan = plan.model_copy(
        update={"year": year, "title": plan.title.replace(str(plan.year), str(year)), "opens_at": opens_at}
    )
    return sample_of.model_copy(update={"plan": moved_plan, "dialogues": dialogues_moved})


def _weeks(dated: Sequence[SampleDialogue], today: date) -> timedelta:
    """By how many weeks the first closing comes to lie in the week that ends three weeks from `today`."""
    closings = [local_date(d.closes_at) for d in dated if d.closes_at]
    if not closings:
        return timedelta()
    return timedelta(weeks=(today + OPEN_FOR - min(closings)).days // 7)


def _quarters(announced: Sequence[SampleDialogue], wanted: PlanQuarter) -> int:
    """By how many quarters the first window comes to be the `wanted` one."""
    windows = [d.window_from for d in announced if d.window_from]
    if not windows:
        return 0
    first = PlanQuarter.of(min(windows))
    return (wanted.year - first.year) * 4 + wanted.number - first.number


def _moved(dialogue: SampleDialogue, weeks: timedelta, quarters: int, year: int) -> SampleDialogue:
    update: dict[str, object] = {
        name: value + weeks for name in ("starts_at", "closes_at", "invitations_due") if (value := getattr(dialogue, name))
    }
    if dialogue.window_from and dialogue.window_to:
        last = PlanQuarter(year, 4)
        update["window_from"] = min(_quarter_after(dialogue.window_from, quarters).first_day, last.first_day)
        update["window_to"] = min(_quarter_after(dialogue.window_to, quarters).last_day, last.last_day)
    return dialogue.model_copy(update=update)


def _quarter_after(day: date, quarters: int) -> PlanQuarter:
    index = day.year * 4 + (day.month - 1) // 3 + quarters
    return PlanQuarter(index // 4, index % 4 + 1)


def _year_of(dialogue: SampleDialogue) -> int:
    if dialogue.starts_at:
        return local_date(dialogue.starts_at).year
    return dialogue.window_from.year if dialogue.window_from else 0
