"""The e-mail channel on a real Dovecot and a real MongoDB (D3): each mail is taken once, whatever dies, and becomes a case."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
from prometheus_client import REGISTRY
from pymongo.errors import AutoReconnect

from cli.browser import Page
from contracts import topics
from contracts.envelope import Event
from contracts.model import DeliveryState, LetterKind, RegistrationState
from kit.auth import COOKIE, Role, Session, SessionCodec
from kit.errors import Invalid
from kit.mongo import Document
from kit.web.navigation import MAILS
from services.intake.mailbox import domain, mime
from services.intake.mailbox.imap import KEYWORD, Fetched, ImapSession
from services.intake.mailbox.reader import MailboxReader
from services.intake.mailbox.settings import Mailbox
from services.intake.mailbox.store import Leases, LetterCases, MailStore
from services.intake.mailbox.usecases import Mailroom, forget, keep, keep_house
from services.intake.mailbox.workshop import Workshop
from services.routing.questions import store as cases
from tests.dovecot import Dovecot, running_dovecot
from tests.intake import NOW, PLAN, Running, dialogue, plan, running_intake
from tests.mails import DOCX, LETTER_ID, PERSON, SECTIONS, attach, corpus, filled_docx, mail, raw, spoilt, words, write
from tests.routing import running_routing, take, with_dialogue
from tests.waiting import eventually

pytestmark = pytest.mark.stack
HERE = "/son-la/tiep-nhan/thu-dien-tu"
_WORKSHOP = Workshop()
FUZZED = int(os.environ.get("MAILS_FUZZED", "200"))
"""The whole proof: MAILS_FUZZED=5000, as in tests/unit/test_mailbox_reading.py; some minutes."""


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was cut off comes again at once: how long it waits in life is no matter here."""
    monkeypatch.setattr("services.intake.mailbox.reader.LONGEST_PAUSE", 0.1)


@pytest.fixture(scope="module", autouse=True)
async def workshop() -> AsyncIterator[Workshop]:
    """One reading process for all mails that a test keeps by itself."""
    async with _WORKSHOP:
        yield _WORKSHOP


@pytest.fixture
async def intake(mongodb_url: str) -> AsyncIterator[Running]:
    async with running_intake(mongodb_url) as running:
        running.clock.now = datetime.now(UTC) + timedelta(minutes=1)
        yield running


@pytest.fixture
def user() -> str:
    return f"u{uuid4().hex[:8]}"


def room_of(intake: Running, box: Mailbox | None = None) -> Mailroom:
    database, own = intake.database, intake.intake
    boxes = {"son-la": box} if box else {}
    return Mailroom(own, boxes, MailStore(database, own.files), LetterCases(database))


def reader_of(
    intake: Running, box: Mailbox, *, holder: str = "", poll: float = 30, connect: Callable[[Mailbox], ImapSession] = ImapSession
) -> MailboxReader:
    leases = Leases(intake.database, holder or uuid4().hex, 90)
    return MailboxReader(room_of(intake, box), intake.intake.agency("son-la"), leases, poll_seconds=poll, connect=connect)


@asynccontextmanager
async def reading(*readers: MailboxReader) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def kept(intake: Running, count: int, **query: Any) -> list[Document]:
    """All mails, when there are as many as that."""

    async def enough() -> list[Document]:
        return await intake.database["mails"].find(query).sort("received_at").to_list(None)

    async def exactly() -> list[Document]:
        found = await enough()
        assert len(found) >= count, len(found)
        return found

    if count == 0:
        return await enough()
    found = await eventually(exactly)
    assert len(found) == count
    return found


async def one_is_marked(dovecot: Dovecot, user: str) -> bool:
    """One of two mails; a mail is marked when it is kept already."""
    return sorted(map(len, await asyncio.to_thread(dovecot.flags, user))) == [0, 2]


async def all_marked(dovecot: Dovecot, user: str, count: int) -> None:
    async def marked() -> bool:
        flags = await asyncio.to_thread(dovecot.flags, user)
        return len(flags) == count and all({b"\\Seen", KEYWORD.encode()} <= set(f) for f in flags)

    await eventually(marked)


def sign_in(intake: Running, *roles: Role) -> str:
    codec = SessionCodec(intake.intake.settings.session_secret)
    session = Session(id="s1", agency="son-la", username="van.phong", name="Cầm Thị Mẫu", roles=frozenset(roles))
    intake.client.cookies.set(COOKIE, codec.encode(session, intake.clock.now))
    return codec.csrf("s1")


async def put(intake: Running, content: bytes, *, received_at: datetime = NOW) -> Document:
    """Keep a mail as the reader does."""
    room = room_of(intake)
    _id = await keep(room, intake.intake.agency("son-la"), _WORKSHOP, Fetched(content, received_at))
    return await room.mails.get("son-la", _id)


def form_of(answer: httpx.Response, action: str) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return dict(Page(answer).form(action).values)


# The whole way


async def test_a_mail_becomes_a_case_with_its_channel_its_moment_and_its_paper(mongodb_url: str, user: str) -> None:
    with running_dovecot(tls=True) as dovecot:
        box = dovecot.box(user, security="starttls", ca_file=dovecot.ca_file)
        dovecot.maildir(user)
        received = NOW - timedelta(hours=3)
        async with running_intake(mongodb_url, mailboxes={"son-la": box}) as intake:
            with dovecot.client(user) as client:
                content = raw(attach(mail("Gửi Sở phiếu.", message_id="a@x.example"), filled_docx(), DOCX, "phiếu.docx"))
                client.append("INBOX", content, msg_time=received)
            (document,) = await kept(intake, 1, state="waiting")
            await all_marked(dovecot, user, 1)
            csrf = sign_in(intake, Role.OFFICE)
            listing = await intake.client.get(HERE)
            assert "Phiếu đăng ký tham gia đối thoại" in listing.text
            assert "đọc được 1 phiếu" in listing.text
            page = await intake.client.get(f"{HERE}/{document['_id']}")
            assert "Gửi Sở phiếu." in page.text
            values = form_of(page, "phieu/1")
            assert values | {"name": PERSON["name"], "sections.1": SECTIONS[1], "email": "thu@nguoi-dan.example"} == values
            answers = await asyncio.gather(
                *(intake.client.post(f"{HERE}/{document['_id']}/phieu/1", data=values) for _ in range(3))
            )
            assert {a.status_code for a in answers} == {303}
            changed = values | {"name": "Người khác", "csrf": csrf}
            again = await intake.client.post(f"{HERE}/{document['_id']}/phieu/1", data=changed)
            assert {a.headers["Location"] for a in (*answers, again)} == {answers[0].headers["Location"]}
            (registration,) = await intake.database["registrations"].find().to_list(None)
            assert (registration["channel"], registration["received_at"]) == ("email", received.replace(microsecond=0))
            assert registration["person"]["name"] == PERSON["name"]
            assert [f["name"] for f in registration["files"]] == ["phiếu.docx"]
            shown = await intake.client.get(f"{HERE}/{document['_id']}")
            assert registration["case_number"] in shown.text
            assert "Ghi nhận phiếu</button>" not in shown.text

            async def published() -> list[tuple[bytes, bytes]]:
                return intake.published.of(topics.REGISTRATIONS)

            ((key, value),) = await eventually(published)
    event = Event[RegistrationState].model_validate(orjson.loads(value))
    assert event.data.files[0].name == "phiếu.docx"
    async with running_routing(mongodb_url) as routing:
        await with_dialogue(routing)
        assert await take(routing, event) == []
        case = await cases.case(routing.cases.collection, "son-la", UUID(key.decode()))
        questions = await cases.questions_of_case(routing.questions.collection, "son-la", UUID(key.decode()), sealed=True)
    assert case["channel"] == "email"
    assert [q["section_no"] for q in questions] == [1, 3]


# The reader


async def test_what_comes_while_it_waits_is_taken_at_once_by_idle(intake: Running, dovecot: Dovecot, user: str) -> None:
    dovecot.maildir(user)
    async with reading(reader_of(intake, dovecot.box(user))):
        dovecot.deliver(user, {"1": corpus()["plain"]})
        await all_marked(dovecot, user, 1)
        begun = asyncio.get_running_loop().time()
        for n, name in enumerate(("docx", "free text"), start=2):
            dovecot.deliver(user, {name: corpus()[name]})
            await all_marked(dovecot, user, n)
        assert asyncio.get_running_loop().time() - begun < 20  # far below the 30 s after which it would have looked
        assert {d["state"] for d in await kept(intake, 3)} == {"waiting"}
        assert REGISTRY.get_sample_value("mailbox_connected", {"agency": "son-la"}) == 1
    assert REGISTRY.get_sample_value("mailbox_connected", {"agency": "son-la"}) == 0


async def test_a_server_without_idle_is_polled_and_taken_mails_are_moved_where_set(intake: Running, user: str) -> None:
    with running_dovecot(idle=False) as dovecot:
        dovecot.maildir(user)
        async with reading(reader_of(intake, dovecot.box(user, after="move"), poll=0.1)):
            dovecot.deliver(user, {"1": corpus()["plain"]})
            await kept(intake, 1)
            dovecot.deliver(user, {"2": corpus()["docx"]})
            await kept(intake, 2)

            async def moved() -> bool:
                return dovecot.flags(user) == []

            await eventually(moved)
        with dovecot.client(user) as client:
            assert client.select_folder("DaTiepNhan")[b"EXISTS"] == 2


async def test_it_comes_back_after_a_cut(intake: Running, dovecot: Dovecot, user: str) -> None:
    dovecot.maildir(user)
    async with reading(reader_of(intake, dovecot.box(user))):
        dovecot.deliver(user, {"1": corpus()["plain"]})
        await all_marked(dovecot, user, 1)
        dovecot.cut()
        dovecot.deliver(user, {"2": corpus()["docx"]})
        await all_marked(dovecot, user, 2)
    assert len(await kept(intake, 2)) == 2


class _Dying(ImapSession):
    """Dies when a mail has been kept and before it is marked."""

    deaths = 0

    def done(self, uid: int) -> None:
        if _Dying.deaths < 2:
            _Dying.deaths += 1
            self.abort()
        super().done(uid)


async def test_what_dies_between_keeping_and_marking_loses_nothing_and_doubles_nothing(
    intake: Running, dovecot: Dovecot, user: str
) -> None:
    write(dovecot.maildir(user), {f"{n}.x": content for n, content in enumerate(corpus().values())})
    _Dying.deaths = 0
    async with reading(reader_of(intake, dovecot.box(user), connect=_Dying)):
        await all_marked(dovecot, user, len(corpus()))
    assert _Dying.deaths == 2
    assert len(await kept(intake, len(corpus()))) == len(corpus())


async def test_it_can_be_killed_at_any_moment(intake: Running, dovecot: Dovecot, user: str) -> None:
    write(dovecot.maildir(user), {f"{n}.x": content for n, content in enumerate(corpus().values())})
    for _ in range(3):
        had = len(await kept(intake, 0))

        async def more(had: int = had) -> bool:
            return len(await kept(intake, 0)) > had

        async with reading(reader_of(intake, dovecot.box(user), holder="same host")):
            await eventually(more)
    async with reading(reader_of(intake, dovecot.box(user), holder="same host")):
        await all_marked(dovecot, user, len(corpus()))
    assert len(await kept(intake, len(corpus()))) == len(corpus())


class _Away(MailStore):
    """A database that is away when the first mail comes."""

    seen: list[list[tuple[bytes, ...]]]
    look: Callable[[], list[tuple[bytes, ...]]]

    async def insert(self, document: Document) -> bool:
        if not self.seen:
            self.seen.append(await asyncio.to_thread(self.look))
            raise AutoReconnect("away")
        return await super().insert(document)


async def test_what_cannot_be_kept_yet_is_not_marked(intake: Running, dovecot: Dovecot, user: str) -> None:
    dovecot.maildir(user)
    dovecot.deliver(user, {"1": corpus()["docx"]})
    away = _Away(intake.database, intake.intake.files)
    away.seen, away.look = [], lambda: dovecot.flags(user)
    box = dovecot.box(user)
    room = Mailroom(intake.intake, {"son-la": box}, away, LetterCases(intake.database))
    reader = MailboxReader(room, intake.intake.agency("son-la"), Leases(intake.database, "a", 90), poll_seconds=30)
    async with reading(reader):
        await all_marked(dovecot, user, 1)
    assert away.seen == [[()]]
    assert len(await kept(intake, 1)) == 1


class _Unable(ImapSession):
    """Does not get one of the mails from the server."""

    def fetch(self, uid: int) -> Fetched | None:
        return None if uid == 1 else super().fetch(uid)


async def test_a_mail_that_cannot_be_had_stops_no_other_and_is_told_of(intake: Running, dovecot: Dovecot, user: str) -> None:
    dovecot.maildir(user)
    dovecot.deliver(user, {name: corpus()[name] for name in ("plain", "docx")})
    before = REGISTRY.get_sample_value("mailbox_mails_not_kept_total", {"agency": "son-la"}) or 0
    async with reading(reader_of(intake, dovecot.box(user), connect=_Unable)):
        await kept(intake, 1)

        async def told() -> bool:
            return REGISTRY.get_sample_value("mailbox_mails_not_kept_total", {"agency": "son-la"}) == before + 1

        await eventually(told)
        await eventually(lambda: one_is_marked(dovecot, user))


async def test_a_mailbox_that_was_rebuilt_is_no_other_mailbox(intake: Running, dovecot: Dovecot, user: str) -> None:
    folder = dovecot.maildir(user)
    dovecot.deliver(user, {name: corpus()[name] for name in ("plain", "docx", "forwarded", "no headers")})
    async with reading(reader_of(intake, dovecot.box(user), holder="same host")):
        await all_marked(dovecot, user, 4)
    with dovecot.client(user) as client:
        before = client.folder_status("INBOX", [b"UIDVALIDITY"])
    for file in folder.glob("dovecot*"):
        file.unlink()
    for number, file in enumerate(sorted((folder / "cur").iterdir())):  # as another program would have written them
        file.rename(folder / "new" / f"17.{number}.x")
    await asyncio.sleep(1.1)  # UIDVALIDITY is a time in seconds
    with dovecot.client(user) as client:
        assert client.folder_status("INBOX", [b"UIDVALIDITY"]) != before
    dovecot.deliver(user, {"new": corpus()["free text"]})
    async with reading(reader_of(intake, dovecot.box(user), holder="same host")):
        await all_marked(dovecot, user, 5)
    assert len(await kept(intake, 5)) == 5


@pytest.mark.parametrize("holders", [("a", "b"), ("a", "a")], ids=["a lease each", "both believe they hold it"])
async def test_two_readers_take_each_mail_once(intake: Running, dovecot: Dovecot, user: str, holders: tuple[str, str]) -> None:
    write(dovecot.maildir(user), {f"{n}.x": content for n, content in enumerate(corpus().values())})
    async with reading(*(reader_of(intake, dovecot.box(user), holder=holder) for holder in holders)):
        await all_marked(dovecot, user, len(corpus()))
    assert len(await kept(intake, len(corpus()))) == len(corpus())


async def test_a_lease_passes_on_when_its_holder_is_gone(intake: Running) -> None:
    gone, waiting = Leases(intake.database, "gone", 0.2), Leases(intake.database, "waiting", 60)
    assert await gone.take("son-la")
    assert await gone.take("son-la")

    async def passed() -> bool:
        return await waiting.take("son-la")

    await eventually(passed)
    assert not await gone.take("son-la")
    await waiting.give_back("son-la")
    assert await gone.take("son-la")


async def test_old_mails_are_left_alone_where_set(intake: Running, dovecot: Dovecot, user: str) -> None:
    dovecot.maildir(user)
    with dovecot.client(user) as client:
        client.append("INBOX", corpus()["plain"], msg_time=datetime(2020, 1, 1, tzinfo=UTC))
        client.append("INBOX", corpus()["docx"])
    async with reading(reader_of(intake, dovecot.box(user, since="2024-01-01"))):
        assert [d["message_id"] if "message_id" in d else d["forms"][0]["source"] for d in await kept(intake, 1)] == [0]
        await eventually(lambda: one_is_marked(dovecot, user))


@pytest.mark.timeout(300 + FUZZED // 5)
async def test_spoilt_mails_through_a_real_server_are_all_there_and_none_twice(
    intake: Running, dovecot: Dovecot, user: str
) -> None:
    mails = [*spoilt(seed=13, count=FUZZED)]
    write(dovecot.maildir(user), {f"{n}.x": content for n, content in enumerate([*mails, *mails[:20]])})
    async with reading(reader_of(intake, dovecot.box(user))):
        await eventually(lambda: _none_fresh(dovecot, user), timeout=120 + FUZZED / 5, every=0.5)
    with dovecot.client(user) as client:
        served = [parts[b"BODY[]"] for parts in client.fetch(client.search("ALL"), ["BODY.PEEK[]"]).values()]
    assert len(served) == FUZZED + 20
    found = await intake.database["mails"].find().to_list(None)
    room = room_of(intake)
    stored = [await room.mails.file(document["raw"]) for document in found]
    assert {_what_matters(content) for content in served} == {_what_matters(content) for content in stored}
    assert len(set(stored)) == len(stored)
    names = [(mime.parse(content).message_id, document["fingerprint"]) for content, document in zip(stored, found, strict=True)]
    assert len(set(names)) == len(names)


def _what_matters(content: bytes) -> tuple[str, bytes]:
    """Message-ID and body; the whole of a mail that lacks either."""
    _, blank, body = content.partition(b"\r\n\r\n")
    name = mime.parse(content).message_id
    return (name, body.rstrip()) if name and blank else ("", content)


async def _none_fresh(dovecot: Dovecot, user: str) -> bool:
    def fresh() -> list[int]:
        with dovecot.client(user) as client:
            found: list[int] = client.search(["UNKEYWORD", KEYWORD])
            return found

    return not await asyncio.to_thread(fresh)


# Keeping


async def test_the_same_message_id_is_taken_once_and_another_mail_under_it_is_not_lost(intake: Running) -> None:
    first = await put(intake, corpus()["plain"])
    assert (await put(intake, b"Received: by y\r\n" + corpus()["plain"]))["_id"] == first["_id"]
    other = raw(mail("Một thư khác hẳn.", message_id="thuong@x.example"))
    twin = await put(intake, other)
    assert twin["_id"] != first["_id"]
    assert (first["twin"], twin["twin"]) == (False, True)
    assert (await put(intake, other))["_id"] == twin["_id"]
    assert len(await kept(intake, 2)) == 2


async def test_a_mail_of_thirty_megabytes_is_kept_whole(intake: Running) -> None:
    large = raw(attach(mail("Gửi Sở bản quét.", message_id="lon@x.example"), os.urandom(23 * 1024 * 1024), "image/jpeg", "q.jpg"))
    assert len(large) > 30 * 1024 * 1024
    document = await put(intake, large)
    room = room_of(intake)
    assert await room.mails.file(document["raw"]) == large
    assert document["attachments"][0]["file"]["size"] == 23 * 1024 * 1024


async def test_what_hangs_the_reading_costs_its_documents_not_the_mail(intake: Running) -> None:
    found = await _WORKSHOP.read(corpus()["docx"], words(), whole_seconds=0.0)
    assert (found.mail.text, found.forms) == ("Gửi Sở phiếu đăng ký.", ())
    assert len((await _WORKSHOP.read(corpus()["docx"], words())).forms) == 1


async def test_machines_are_kept_apart_and_never_wait(intake: Running) -> None:
    for name in ("auto reply", "newsletter", "bounce"):
        document = await put(intake, corpus()[name])
        assert (document["state"], document["forms"]) == ("automatic", [])
    csrf = sign_in(intake, Role.OFFICE)
    assert "Không có thư nào" in (await intake.client.get(HERE)).text
    listing = (await intake.client.get(f"{HERE}?xem=tu-dong")).text
    assert all(word in listing for word in ("trả lời tự động", "báo cáo gửi", "bản tin"))
    assert intake.published.of(topics.INTAKE_LETTERS) == []
    answer = await intake.client.post(f"{HERE}/{document['_id']}/mo-lai", data={"csrf": csrf})
    assert answer.status_code == 303
    assert (await kept(intake, 1, state="waiting"))[0]["forms"] == [domain.blank_form()]


async def test_what_a_person_sends_through_a_group_waits_with_its_form(intake: Running, dovecot: Dovecot) -> None:
    group, letter = [await put(intake, corpus()[name]) for name in ("group", "list")]
    assert [(d["state"], d["automatic"], "dealt_at" in d) for d in (group, letter)] == [("waiting", "list", False)] * 2
    assert group["forms"][0]["fields"] == PERSON
    room = room_of(intake, dovecot.box("nobody"))
    await keep_house(room)
    assert intake.intake.waiting_in("son-la")[MAILS] == 2
    intake.clock.now += timedelta(days=91)
    await keep_house(room)
    assert len(await kept(intake, 2, state="waiting", emptied_at={"$exists": False})) == 2
    sign_in(intake, Role.OFFICE)
    assert "danh sách gửi chung" in (await intake.client.get(HERE)).text
    page = await intake.client.get(f"{HERE}/{group['_id']}")
    assert form_of(page, "phieu/1")["email"] == "thu@nguoi-dan.example"
    assert intake.published.of(topics.INTAKE_LETTERS) == []


async def test_a_form_in_a_machines_mail_is_read_though_it_does_not_wait(intake: Running) -> None:
    returned = attach(
        mail("Không gửi được.", sender="MAILER-DAEMON@x.example", message_id="tra@x"), filled_docx(), DOCX, "p.docx"
    )
    document = await put(intake, raw(returned))
    here = f"{HERE}/{document['_id']}"
    assert document["state"] == "automatic"
    csrf = sign_in(intake, Role.OFFICE)
    assert "Trong thư có 1 phiếu đọc được" in (await intake.client.get(here)).text
    assert (await intake.client.post(f"{here}/phieu/1", data={"csrf": csrf, "plan": PLAN, "name": "A"})).status_code == 404
    await intake.client.post(f"{here}/mo-lai", data={"csrf": csrf})
    values = form_of(await intake.client.get(here), "phieu/1")
    assert (values["name"], values["email"]) == (PERSON["name"], "")


async def test_a_reply_is_shown_with_its_case_by_its_headers_alone(intake: Running) -> None:
    case = uuid4()
    state = DeliveryState(
        letter_key="k", kind=LetterKind.RECEIPT, owner="intake", case=case, case_number="SL-2026-000007", status="sent", at=NOW
    )
    event = Event[DeliveryState].model_construct(subject=LETTER_ID, agency="son-la", data=state, sequence=1)
    await LetterCases(intake.database).save([event])
    known = await put(intake, corpus()["reply"])
    assert known["reply"] == {"case": case, "case_number": "SL-2026-000007"}
    unknown = await put(intake, raw(mail("x", message_id="k@x", In_Reply_To=f"<{'f' * 40}@son-la.example>")))
    assert (unknown["answers"], unknown["reply"]) == (True, None)
    by_subject = await put(intake, raw(mail("x", message_id="s@x", subject="Re: SL-2026-000007")))
    assert (by_subject["answers"], by_subject["reply"]) == (False, None)
    sign_in(intake, Role.OFFICE)
    assert "SL-2026-000007" in (await intake.client.get(f"{HERE}/{known['_id']}")).text
    assert "không xác định được" in (await intake.client.get(f"{HERE}/{unknown['_id']}")).text


# The office


async def test_several_forms_of_one_mail_are_several_registrations(intake: Running) -> None:
    document = await put(intake, corpus()["two in one"])
    here = f"{HERE}/{document['_id']}"
    csrf = sign_in(intake, Role.OFFICE)
    for number in (1, 2):
        values = form_of(await intake.client.get(f"{here}?phieu={number}"), f"phieu/{number}")
        assert (await intake.client.post(f"{here}/phieu/{number}", data=values)).status_code == 303
    added = await intake.client.post(f"{here}/them-phieu", data={"csrf": csrf})
    assert added.headers["Location"].endswith("?phieu=3")
    dismissal = await intake.client.post(f"{here}/phieu/3/khong-phai", data={"csrf": csrf, "reason": "thêm nhầm"})
    assert dismissal.status_code == 303
    names = [r["person"]["name"] async for r in intake.database["registrations"].find().sort("person.name")]
    assert names == ["Cầm Thị Mẫu", "Lò Văn Thử"]
    (done,) = await kept(intake, 1, state="registered")
    assert [act["what"] for act in done["acts"]] == ["registered", "registered", "form_added", "dismissed"]


async def test_who_dismisses_says_why_and_cannot_undo_a_registration(intake: Running) -> None:
    document = await put(intake, corpus()["plain"])
    here = f"{HERE}/{document['_id']}"
    csrf = sign_in(intake, Role.OFFICE)
    assert (await intake.client.post(f"{here}/phieu/1/khong-phai", data={"csrf": csrf})).status_code == 422
    values = form_of(await intake.client.get(here), "phieu/1")
    assert (await intake.client.post(f"{here}/phieu/1", data=values | {"plan": "", "name": "Đã sửa"})).status_code == 422
    assert (await intake.client.post(f"{here}/phieu/1", data=values)).status_code == 303
    # As after a crash between the registration and the note of it.
    await intake.database["mails"].update_one({}, {"$set": {"forms": document["forms"], "state": "waiting"}})
    late = await intake.client.post(f"{here}/phieu/1/khong-phai", data={"csrf": csrf, "reason": "không phải"})
    assert late.status_code == 409
    assert len(await kept(intake, 1, state="registered")) == 1
    missing = await intake.client.post(f"{here}/phieu/7", data=values)
    assert missing.status_code == 404


async def test_a_form_that_came_by_another_way_is_shown_before_it_is_confirmed(intake: Running) -> None:
    (first, second) = [await put(intake, corpus()[name]) for name in ("plain", "docx")]
    sign_in(intake, Role.OFFICE)
    values = form_of(await intake.client.get(f"{HERE}/{first['_id']}"), "phieu/1")
    assert (await intake.client.post(f"{HERE}/{first['_id']}/phieu/1", data=values)).status_code == 303
    (kept_first,) = await intake.database["registrations"].find().to_list(None)
    values = form_of(await intake.client.get(f"{HERE}/{second['_id']}"), "phieu/1") | {"incoming_number": "45"}
    asked = await intake.client.post(f"{HERE}/{second['_id']}/phieu/1", data=values)
    assert "Có thể trùng với phiếu đã có" in asked.text
    assert f"<strong>{kept_first['case_number']}</strong> (trùng họ tên và điện thoại)" in asked.text
    again = form_of(asked, "phieu/1")
    assert again["incoming_number"] == "45"
    assert await intake.database["registrations"].count_documents({}) == 1
    for _ in range(2):  # the second time nothing is asked: it is the same form, whatever it is like
        done = await intake.client.post(f"{HERE}/{second['_id']}/phieu/1", data=again | {"anyway": "1"})
        assert done.status_code == 303
    assert (await intake.client.post(f"{HERE}/{second['_id']}/phieu/1", data=again)).headers["Location"] == done.headers[
        "Location"
    ]
    assert await intake.database["registrations"].count_documents({}) == 2


# Feedback


def phan_anh(document: Document) -> str:
    return f"{HERE}/{document['_id']}/phieu/1/phan-anh"


async def test_a_mail_becomes_feedback_with_its_moment_and_its_files(intake: Running) -> None:
    message = mail("Tôi phản ánh thủ tục kiểm định cân.", subject="Phản ánh", message_id="pa@x.example")
    attach(message, b"%PDF-1.4 giay to", "application/pdf", "giấy tờ.pdf")
    attach(message, b"PK", "application/zip", "hồ sơ.zip")
    document = await put(intake, raw(message), received_at=NOW - timedelta(hours=3))
    here = f"{HERE}/{document['_id']}"
    csrf = sign_in(intake, Role.OFFICE)
    assert phan_anh(document) in (await intake.client.get(here)).text
    page = await intake.client.get(phan_anh(document))
    left_out = "Tệp “hồ sơ.zip” không thuộc loại được nhận."
    assert left_out in page.text
    values = form_of(page, "phan-anh")
    read = {"name": "Lò Văn Thử", "email": "thu@nguoi-dan.example", "text": "Tôi phản ánh thủ tục kiểm định cân."}
    assert values | read == values
    assert (await intake.client.post(phan_anh(document), data=values | {"outside_due": "1/1/2020"})).status_code == 422
    values |= {"incoming_number": "12", "address": "Tổ 2"}
    answers = await asyncio.gather(*(intake.client.post(phan_anh(document), data=values) for _ in range(3)))
    changed = await intake.client.post(phan_anh(document), data=values | {"name": "Người khác"})
    assert {a.status_code for a in answers} == {303}
    assert {a.headers["Location"] for a in (*answers, changed)} == {answers[0].headers["Location"]}
    (feedback,) = await intake.database["feedback"].find().to_list(None)
    assert (feedback["channel"], feedback["received_at"]) == ("email", NOW - timedelta(hours=3))
    assert (feedback["person"]["name"], feedback["text"]) == (read["name"], read["text"])
    assert [f["name"] for f in feedback["files"]] == ["giấy tờ.pdf"]
    assert await intake.database["registrations"].count_documents({}) == 0
    (done,) = await kept(intake, 1, state="registered")
    assert [act["what"] for act in done["acts"]] == ["registered_as_feedback"]
    assert (await intake.client.get(answers[0].headers["Location"])).status_code == 200
    shown = (await intake.client.get(here)).text
    assert answers[0].headers["Location"] in shown
    assert feedback["case_number"] in shown
    assert left_out in shown
    assert (await intake.client.get(phan_anh(document))).status_code == 303
    erased = await intake.client.post(
        "/son-la/tiep-nhan/phan-anh/xoa", data={"csrf": csrf, "number": feedback["case_number"], "confirmed": "1"}
    )
    assert erased.status_code == 303
    assert "Tôi phản ánh" not in str(await intake.database["mails"].find().to_list(None))

    async def published() -> bool:
        return len(intake.published.of(topics.FEEDBACK)) == 2

    await eventually(published)


async def test_feedback_that_came_by_another_way_is_shown_before_it_is_confirmed(intake: Running) -> None:
    received_at = intake.clock.now - timedelta(days=1)
    mails = [raw(mail("Tôi phản ánh.", message_id=f"{n}@x.example")) for n in range(2)]
    first, second = [await put(intake, content, received_at=received_at) for content in mails]
    sign_in(intake, Role.OFFICE)
    values = form_of(await intake.client.get(phan_anh(first)), "phan-anh")
    assert (await intake.client.post(phan_anh(first), data=values)).status_code == 303
    asked = await intake.client.post(phan_anh(second), data=values | {"incoming_number": "45"})
    assert "Có thể trùng với phản ánh, kiến nghị đã có" in asked.text
    again = form_of(asked, "phan-anh")
    assert again["incoming_number"] == "45"
    assert (await intake.client.post(phan_anh(second), data=again | {"anyway": "1"})).status_code == 303
    assert await intake.database["feedback"].count_documents({}) == 2


async def test_what_dies_between_feedback_and_the_note_of_it_is_one_feedback(intake: Running) -> None:
    document = await put(intake, corpus()["plain"])
    here = f"{HERE}/{document['_id']}"
    csrf = sign_in(intake, Role.OFFICE)
    values = form_of(await intake.client.get(phan_anh(document)), "phan-anh")
    as_registration = form_of(await intake.client.get(here), "phieu/1")

    async def die() -> None:
        await intake.database["mails"].update_one({}, {"$set": {"forms": document["forms"], "acts": [], "state": "waiting"}})

    location = (await intake.client.post(phan_anh(document), data=values)).headers["Location"]
    for path, data, status in (
        ("phieu/1/phan-anh", values, 303),
        ("phieu/1/phan-anh", values | {"text": "Khác"}, 303),
        ("phieu/1", as_registration, 303),
        ("phieu/1/khong-phai", {"csrf": csrf, "reason": "không phải"}, 409),
    ):
        await die()
        answer = await intake.client.post(f"{here}/{path}", data=data)
        assert (answer.status_code, answer.headers.get("Location", location)) == (status, location), path
        (noted,) = await kept(intake, 1, state="registered")
        assert noted["forms"][0]["feedback"]
    assert await intake.database["feedback"].count_documents({}) == 1
    assert await intake.database["registrations"].count_documents({}) == 0


async def test_one_form_does_not_become_a_registration_and_feedback_at_once(intake: Running) -> None:
    documents = [await put(intake, corpus()[name]) for name in ("plain", "html", "pdf")]
    sign_in(intake, Role.OFFICE)
    for document in documents:
        here = f"{HERE}/{document['_id']}"
        ways = {
            f"{here}/phieu/1": form_of(await intake.client.get(here), "phieu/1") | {"anyway": "1"},
            phan_anh(document): form_of(await intake.client.get(phan_anh(document)), "phan-anh"),
        }
        answers = await asyncio.gather(*(intake.client.post(path, data=data) for path, data in ways.items()))
        assert sorted(a.status_code for a in answers) in ([303, 303], [303, 503])
        # Whoever was told to wait finds what it has become.
        again = [await intake.client.post(path, data=data) for path, data in ways.items()]
        assert {a.headers["Location"] for a in again} == {a.headers["Location"] for a in answers if a.status_code == 303}
    counts = [await intake.database[name].count_documents({}) for name in ("registrations", "feedback")]
    assert sum(counts) == len(documents), counts


async def test_files_are_held_to_the_rules_of_the_form_and_what_is_left_out_is_said_and_stays(intake: Running) -> None:
    message = attach(mail("Gửi Sở phiếu."), b"%PDF-1.4 khong phai anh", "image/png", "ảnh.png")
    attach(message, filled_docx(), "application/octet-stream", "phiếu.docx")
    attach(message, b"PK", "application/zip", "hồ sơ.zip")
    for n in range(5):
        attach(message, b"%PDF-1.4 giay to", "application/pdf", f"giấy {n}.pdf")
    document = await put(intake, raw(message))
    here = f"{HERE}/{document['_id']}"
    sign_in(intake, Role.OFFICE)
    page = await intake.client.get(here)
    left_out = (
        "Nội dung của tệp “ảnh.png” không đúng với đuôi tên tệp.",
        "Tệp “hồ sơ.zip” không thuộc loại được nhận.",
        "Mỗi phiếu được kèm nhiều nhất 5 tệp; tệp “giấy 4.pdf” chưa được kèm.",
    )
    assert all(reason in page.text for reason in left_out)
    assert page.text.count("Không kèm</span>") == 3
    assert (await intake.client.post(f"{here}/phieu/1", data=form_of(page, "phieu/1"))).status_code == 303
    (registration,) = await intake.database["registrations"].find().to_list(None)
    assert [f["name"] for f in registration["files"]] == ["phiếu.docx", *(f"giấy {n}.pdf" for n in range(4))]
    assert {f["media_type"] for f in registration["files"]} == {DOCX, "application/pdf"}
    shown = await intake.client.get(here)
    assert all(reason in shown.text for reason in left_out)
    assert [(await intake.client.get(f"{here}/tep/{n}")).status_code for n in range(1, 9)] == [200] * 8


async def test_mails_are_for_the_office_alone_and_files_are_downloads(intake: Running) -> None:
    document = await put(intake, corpus()["docx"])
    here = f"{HERE}/{document['_id']}"
    assert (await intake.client.get(HERE)).status_code == 303
    sign_in(intake, Role.OFFICER)
    for path in (HERE, here, f"{here}/thu-goc.eml", f"{here}/tep/1"):
        assert (await intake.client.get(path)).status_code == 403, path
    sign_in(intake, Role.OFFICE)
    assert (await intake.client.post(f"{here}/them-phieu", data={"csrf": "sai"})).status_code == 403
    file = await intake.client.get(f"{here}/tep/1")
    assert file.content == filled_docx()
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"].startswith("attachment;")
    assert (await intake.client.get(f"{here}/thu-goc.eml")).content == corpus()["docx"]
    assert (await intake.client.get(f"{here}/tep/2")).status_code == 404


async def test_what_was_dealt_with_is_emptied_in_time_but_for_what_a_registration_holds(
    intake: Running, dovecot: Dovecot
) -> None:
    registered, automatic, waiting = [await put(intake, corpus()[name]) for name in ("docx", "auto reply", "plain")]
    here = f"{HERE}/{registered['_id']}"
    sign_in(intake, Role.OFFICE)
    await intake.client.post(f"{here}/phieu/1", data=form_of(await intake.client.get(here), "phieu/1"))
    room = room_of(intake, dovecot.box("nobody"))
    await keep_house(room)
    assert REGISTRY.get_sample_value("mailbox_waiting", {"agency": "son-la"}) == 1
    assert (REGISTRY.get_sample_value("mailbox_oldest_age_seconds", {"agency": "son-la"}) or 0) > 1_000_000
    assert await kept(intake, 0, emptied_at={"$exists": True}) == []
    intake.clock.now += timedelta(days=91)
    await keep_house(room)
    emptied = {d["_id"]: d for d in await kept(intake, 2, emptied_at={"$exists": True})}
    assert set(emptied) == {registered["_id"], automatic["_id"]}
    assert not any(d["text"] or d["sender"] or d["attachments"] for d in emptied.values())
    (registration,) = await intake.database["registrations"].find().to_list(None)
    assert await room.mails.file(registration["files"][0]) == filled_docx()
    sign_in(intake, Role.OFFICE)
    assert "đã xóa theo thời hạn lưu" in (await intake.client.get(here)).text
    assert registration["case_number"] in (await intake.client.get(here)).text
    assert (await intake.client.get(f"{here}/thu-goc.eml")).status_code == 404
    assert (await put(intake, corpus()["docx"]))["_id"] == registered["_id"]
    assert len(await kept(intake, 3)) == 3
    assert waiting["text"]


async def test_what_is_erased_is_gone_from_the_mail_as_well(intake: Running) -> None:
    document = await put(intake, corpus()["two in one"])
    here = f"{HERE}/{document['_id']}"
    csrf = sign_in(intake, Role.OFFICE)
    await intake.client.post(f"{here}/phieu/1", data=form_of(await intake.client.get(here), "phieu/1"))
    (registration,) = await intake.database["registrations"].find().to_list(None)
    room = room_of(intake)
    with pytest.raises(Invalid):
        await forget(room, "son-la", registration["_id"])
    await intake.client.post(f"{here}/phieu/2/khong-phai", data={"csrf": csrf, "reason": "gửi trùng"})
    for _ in range(2):
        await forget(room, "son-la", registration["_id"])
    (emptied,) = await kept(intake, 1, emptied_at={"$exists": True})
    assert PERSON["name"] not in str(emptied)
    assert "gửi trùng" not in str(emptied)


async def test_an_unread_mailbox_says_so(intake: Running) -> None:
    await intake.announce((PLAN, plan()), (f"{PLAN}-1", dialogue()), sequence=2)
    sign_in(intake, Role.OFFICE)
    assert "Chưa nối với hộp thư" in (await intake.client.get(HERE)).text
