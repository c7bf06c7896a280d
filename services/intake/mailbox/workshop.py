"""Mails are read in a process of their own: what hangs is ended, what dies is begun again, and nobody else notices."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Self

from kit.logging import get_logger
from services.intake.mailbox import reading
from services.intake.mailbox.mime import Mail, parse
from services.intake.mailbox.prefill import FormWords
from services.intake.mailbox.reading import Reading, Task

WHOLE_SECONDS = 30.0
PLAIN_SECONDS = 15.0
_HEAD = 64_000
_ROOT = Path(__file__).parents[3]
UNREADABLE = "Hệ thống không đọc được thư này; xin tải thư gốc về xem."


class Workshop:
    """One such process, begun when the first mail needs it; as a context manager it is ended with the block."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def read(self, raw: bytes, words: FormWords, *, whole_seconds: float = WHOLE_SECONDS) -> Reading:
        """The mail as far as it can be read: with its documents, else without, else its head. Never raises for its content."""
        for documents, seconds in ((True, whole_seconds), (False, PLAIN_SECONDS)):
            try:
                async with asyncio.timeout(seconds):
                    return await self._ask(Task(words, documents=documents), raw)
            except (TimeoutError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
                get_logger().warning("mail_not_read", error=type(error).__name__, kind="whole" if documents else "plain")
                await self._end()
        head, _, _ = raw[:_HEAD].partition(b"\r\n\r\n")
        mail = parse(head)
        return Reading(
            Mail(
                subject=mail.subject,
                sender=mail.sender,
                sender_name=mail.sender_name,
                to=mail.to,
                date=mail.date,
                message_id=mail.message_id,
                replies_to=mail.replies_to,
                marks=mail.marks,
                faults=(UNREADABLE,),
            )
        )

    async def _ask(self, task: Task, raw: bytes) -> Reading:
        process = await self._started()
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(reading.asked(task, raw))
        await process.stdin.drain()
        size = reading.length(await process.stdout.readexactly(8))
        return reading.unpacked(await process.stdout.readexactly(size))

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                reading.__name__,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # a traceback would hold what people wrote
                cwd=_ROOT,
            )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
