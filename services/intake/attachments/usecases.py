"""Taking files in with a form, carrying them from page to page, and taking away what no form came for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from itsdangerous import BadData, URLSafeSerializer
from pymongo.errors import PyMongoError
from starlette.datastructures import UploadFile

from contracts.model import FileRef
from kit.clock import Clock
from kit.errors import Invalid, Unavailable
from kit.files import FileStore
from kit.logging import get_logger
from kit.mongo import Document, is_transient
from kit.web import Submitted
from kit.web.rendering import format_size
from services.intake.attachments import domain
from services.intake.attachments.domain import Allowed, Refused
from services.intake.attachments.scanner import Scanner
from services.intake.attachments.store import UploadStore
from services.intake.metrics import ATTACHMENTS

AGGREGATE = "upload"
TOKENS = "uploaded"
"""Hidden fields of a page: what was uploaded with it before."""
DROPPED = "drop"
"""Those of them that the person takes back."""
_BY_PROGRAM = "api"
"""Stands for the nonce of a page in what programs uploaded: shorter than any nonce, so neither is taken for the other."""
KEPT_FOR = timedelta(hours=24)
_SWEPT_AFTER = KEPT_FOR + timedelta(hours=1)
"""Later than a page may still name them: nothing is taken away from under a form that is being sent."""
_WITHIN = 60.0
"""Seconds for all files of a form: a person waits."""
_AT_ONCE = 4
"""Files of all people together that are in memory whole: each may have ten megabytes, and is hashed, scanned and stored."""

NOT_TAKEN = "Tệp vừa chọn chưa được nhận. Xin chọn lại tệp."
EXPIRED = "Tệp đã tải lên trước đó không còn được giữ (quá 24 giờ). Xin chọn lại tệp."
UNKNOWN = "Mã tệp này không đúng, hoặc tệp đã tải lên quá 24 giờ. Xin tải tệp lên lại rồi gửi mã mới, với cùng Idempotency-Key."


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is kept for a form. `token` names it in the form's pages; it holds no personal data."""

    token: str
    file: FileRef

    @property
    def size(self) -> str:
        return format_size(self.file.size)


@dataclass(frozen=True, slots=True)
class Attached:
    """What comes with a form now, and what was wrong with the rest (a sentence for each file, empty: nothing). `unread`: tokens
    of what was uploaded before, when nothing can be told of it at the moment.
    """

    uploads: tuple[Upload, ...] = ()
    problem: str = ""
    unread: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[FileRef, ...]:
        return tuple(upload.file for upload in self.uploads)

    @property
    def errors(self) -> dict[str, str]:
        return {domain.FIELD: self.problem} if self.problem else {}


NOTHING = Attached()


@dataclass(frozen=True, slots=True)
class Judged:
    """A file that came by mail. `reason`: why it may not come with a form; "": it may, and `file` has its content's type."""

    file: FileRef
    reason: str = ""


class Attachments:
    """Files by way of forms, and of programs. `in_use` tells whether anything but a document has a file of this key: a
    registration, feedback, or what is held.
    """

    def __init__(
        self,
        files: FileStore,
        uploads: UploadStore,
        *,
        secret: bytes,
        allowed: Allowed,
        scanner: Scanner,
        clock: Clock,
        in_use: Callable[[str, Document | None], Awaitable[bool]],
    ) -> None:
        self.allowed = allowed
        self._files = files
        self._uploads = uploads
        self._signer = URLSafeSerializer(
            secret, salt="doithoai.upload", signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
        )
        self._scanner = scanner
        self._clock = clock
        self._in_use = in_use
        self._room = asyncio.Semaphore(_AT_ONCE)

    def concerns(self, submitted: Submitted) -> bool:
        """Whether a form came with files, now or before; without any it costs nothing."""
        return domain.FIELD in submitted.files or TOKENS in submitted.lists

    async def attach(self, agency: str, nonce: str, submitted: Submitted) -> Attached:
        """Keep what is new and recall what was kept before; durable when this returns.

        Raises `Unavailable` when the store or the scanner is; `recall` then gives what was kept before.
        """
        if not self.concerns(submitted):
            return NOTHING
        async with _answering():
            held, problems = await self._recall(agency, nonce, submitted)
            for uploaded in submitted.files.get(domain.FIELD, ()):
                try:
                    held = await self._take(agency, nonce, held, uploaded)
                except Refused as error:
                    problems.append(error.sentence)
        return Attached(tuple(held), " ".join(problems))

    async def upload(self, agency: str, uploaded: UploadFile) -> Upload:
        """Keep a file that a program sends before the form that will name its token; durable when this returns.

        Raises `Refused`, or `Unavailable` when the store or the scanner is.
        """
        async with _answering():
            [kept] = await self._take(agency, _BY_PROGRAM, [], uploaded)
        return kept

    async def named(self, agency: str, tokens: Sequence[str]) -> tuple[FileRef, ...]:
        """The files that a program names by the tokens of its uploads, each content once, as with a form; no token costs nothing.

        Raises `Invalid` with a sentence for each token that is wrong or one too many (`files.0`), or `Unavailable`.
        """
        if not tokens:
            return ()
        async with _answering():
            ids = [self._read(agency, _BY_PROGRAM, token) for token in tokens]
            found = await self._uploads.of_page(agency, _BY_PROGRAM, {_id for _id in ids if _id})
        held: list[FileRef] = []
        errors: dict[str, str] = {}
        for n, _id in enumerate(ids):
            file = found.get(_id) if _id else None
            if file is None:
                errors[f"{domain.FIELD}.{n}"] = UNKNOWN
            elif all(other.sha256 != file.sha256 for other in held):
                try:
                    domain.check_room(self.allowed, held, file.name, file.size)
                    held.append(file)
                except Refused as error:
                    errors[f"{domain.FIELD}.{n}"] = error.sentence
        if errors:
            raise Invalid(errors)
        return tuple(held)

    async def recall(self, agency: str, nonce: str, submitted: Submitted) -> Attached:
        """What was kept before, where the form is shown again without having taken anything new. Never fails with the store."""
        problems = [NOT_TAKEN] if domain.FIELD in submitted.files else []
        try:
            held, expired = await self._recall(agency, nonce, submitted)
        except PyMongoError as error:
            if not is_transient(error):
                raise
            return Attached((), " ".join(problems), self._tokens(submitted))
        return Attached(tuple(held), " ".join(expired + problems))

    async def _recall(self, agency: str, nonce: str, submitted: Submitted) -> tuple[list[Upload], list[str]]:
        tokens = self._tokens(submitted)
        if not tokens:
            return [], []
        ids = {token: self._read(agency, nonce, token) for token in tokens}
        found = await self._uploads.of_page(agency, nonce, [_id for _id in ids.values() if _id])
        held = [Upload(token, found[_id]) for token, _id in ids.items() if _id in found]
        return held, [EXPIRED] if len(held) < len(ids) else []

    def _tokens(self, submitted: Submitted) -> tuple[str, ...]:
        dropped = set(submitted.lists.get(DROPPED, ()))
        return tuple(token for token in submitted.lists.get(TOKENS, ()) if token not in dropped)[: self.allowed.count]

    async def _take(self, agency: str, nonce: str, held: list[Upload], uploaded: UploadFile) -> list[Upload]:
        """What is held with one more file. Raises `Refused`."""
        try:
            return await self._taken(agency, nonce, held, uploaded)
        except Refused:
            ATTACHMENTS.labels("refused").inc()
            raise

    async def _taken(self, agency: str, nonce: str, held: list[Upload], uploaded: UploadFile) -> list[Upload]:
        name = domain.file_name(uploaded.filename or "")
        domain.check_room(self.allowed, [upload.file for upload in held], name, uploaded.size or 0)
        async with self._room:
            content = await uploaded.read()
            kind, digest = await asyncio.to_thread(_looked_at, name, content)
            if any(upload.file.sha256 == digest for upload in held):  # chosen once more after a correction
                return held
            if await self._scanner.finds(content):
                ATTACHMENTS.labels("infected").inc()
                raise Refused(domain.INFECTED, name)
            kept = await self._keep(agency, nonce, name, kind, content)
            ATTACHMENTS.labels("kept").inc()
            return [*held, kept]

    async def _keep(self, agency: str, nonce: str, name: str, kind: str, content: bytes) -> Upload:
        """Every upload has a place of its own: two at once never share one that only half stands."""
        upload, now = uuid4(), self._clock()
        planned = self._files.planned(agency, f"{AGGREGATE}-{upload.hex}", name, kind, content)
        row = {"_id": upload, "agency": agency, "nonce": nonce, "at": now, "file": planned.model_dump()}
        await self._uploads.add([row])
        file = await self._files.put(agency, f"{AGGREGATE}-{upload.hex}", name, kind, content)
        return Upload(self._token(agency, nonce, upload, now), file)

    def _token(self, agency: str, nonce: str, upload: UUID, now: datetime) -> str:
        return str(self._signer.dumps([agency, nonce, upload.hex, int(now.timestamp())]))

    def _read(self, agency: str, nonce: str, token: str) -> UUID | None:
        try:
            its_agency, its_nonce, upload, at = self._signer.loads(token)
        except (BadData, ValueError, TypeError):
            return None
        expired = self._clock().timestamp() - at >= KEPT_FOR.total_seconds()
        return None if expired or (its_agency, its_nonce) != (agency, nonce) else UUID(upload)

    async def judge(self, files: Sequence[FileRef], *, scan: bool) -> tuple[Judged, ...]:
        """Files that are kept already, of a mail, held to the rules of a form one after another: what is refused takes no room.

        `scan`: by the scanner as well, which takes its time. Raises `Unavailable` when it cannot tell.
        """
        judged: list[Judged] = []
        for file in files:
            held = [other.file for other in judged if not other.reason]
            try:
                domain.check_room(self.allowed, held, file.name, file.size)
                judged.append(Judged(file.model_copy(update={"media_type": await self._type_of_kept(file, scan=scan)})))
            except Refused as error:
                judged.append(Judged(file, error.reason))
        return tuple(judged)

    async def _type_of_kept(self, file: FileRef, *, scan: bool) -> str:
        async with self._room:
            content = await self._files.get(file)
            kind = await asyncio.to_thread(domain.media_type, file.name, content)
            if scan and await self._scanner.finds(content):
                ATTACHMENTS.labels("infected").inc()
                raise Refused(domain.INFECTED, file.name)
            return kind

    async def erase(self, document: Document) -> None:
        """Remove the content of a document's attachments, but those that another one has too: of one mail with several forms, or
        named twice by a program. The document's `files` are its eraser's to empty, after this: what is cut off between the two
        is erased again by the same step.
        """
        for file in document.get("files") or ():
            if not await self._in_use(file["key"], document):
                await self._uploads.forget(file["key"])  # first: a token that is good still has its file
                await self._files.delete(file["key"])

    async def sweep(self) -> int:
        """Take away files whose form did not come within a day. Returns how many."""
        count = 0
        async for row in self._uploads.older_than(self._clock() - _SWEPT_AFTER):
            if not await self._in_use(row["file"]["key"], None):
                await self._files.delete(row["file"]["key"])
                count += 1
            await self._uploads.remove(row["_id"])
        if count:
            get_logger().info("uploads_swept", count=count)
        return count


def _looked_at(name: str, content: bytes) -> tuple[str, str]:
    return domain.media_type(name, content), sha256(content).hexdigest()


@contextlib.asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    """Ends in time, and turns what hinders just now into `Unavailable`."""
    try:
        async with asyncio.timeout(_WITHIN):
            yield
    except (TimeoutError, Unavailable, PyMongoError) as error:
        if isinstance(error, PyMongoError) and not is_transient(error):
            raise
        ATTACHMENTS.labels("unavailable").inc()
        raise error if isinstance(error, Unavailable) else Unavailable("files") from None


def file_rows(files: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Name and size of each file, as the registrant reads them."""
    return [(file["name"], format_size(file["size"])) for file in files]
