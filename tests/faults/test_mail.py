"""Row 15: a mail server that is down, says 421, 4xx, 5xx, cuts in the body and after the dot, is late, never answers."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.mailserver import Order, Stage
from tests.faults.row import row

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

TIMES = 4
TIMEOUT = 5.0
COMMANDS: tuple[Stage, ...] = ("MAIL", "RCPT", "DATA", "DOT")
GREETINGS: tuple[Stage, ...] = ("CONNECT", "EHLO")
"""What is refused here says nothing of the letter: it is tried again later, whatever the number."""


async def test_row15_a_mail_server_that_misbehaves(tmp_path: Path) -> None:
    settings = {"notify": {"smtp_timeout_seconds": str(TIMEOUT), "lease_seconds": "20"}}
    async with row("15 SMTP", tmp_path, mail_server=True, settings=settings) as r:
        server = r.stack.mail_server
        assert server is not None
        async with r.loaded(30):
            await asyncio.sleep(3)
            server.down()
            async with r.down("smtp"):
                await asyncio.sleep(5)
            server.up()
            await asyncio.sleep(8)
            server.order("CONNECT", Order("421", reply="421 4.3.2 Closing"))
            for stage in GREETINGS:  # once each: after each of them a sender waits twice as long as after the one before
                server.order(stage, Order("4xx", reply="450 4.3.2 Try later"))
                server.order(stage, Order("5xx", reply="554 5.3.2 No service here"))
            for stage in COMMANDS:
                server.order(stage, Order("4xx", reply="450 4.2.1 Try later"), TIMES)
                server.order(stage, Order("5xx", reply="550 5.1.1 No such user"), TIMES)
            server.order("BODY", Order("cut", cut=True), TIMES)
            server.order("DOT", Order("cut, not kept", cut=True), TIMES)
            server.order("KEPT", Order("cut, kept", cut=True), TIMES)
            server.order("KEPT", Order("late", wait=TIMEOUT + 3), 2)
            server.order("DOT", Order("never", wait=3600), 2)

            async def all_met() -> bool:
                return server.waiting() == 0

            await r.until(all_met, timeout=120)
        steps = "the greeting, EHLO, MAIL, RCPT, DATA, dot"
        r.inject(f"SMTP: down 5 s; 421; 4xx and 5xx at {steps}; cuts in the body and after the dot; late; never")
        for name, count in server.hits.items():
            r.hit(name, count)
        # A cut in the body looks like one after the dot: by then all of the text has been handed to the network.
        cut = 3 * TIMES + 2 + 2
        r.cuts = cut + server.cut_mails
        refused = TIMES * len(COMMANDS)
        await r.settle(("sent", "failed"), timeout=400)
        found = await r.evidence()
        states = [row["state"] for row in found.ledger]
        assert states.count("failed") == refused, "each 5xx, and nothing else, is for staff"
        # One letter may meet two of them; of those that the end of the server cut the sender may have known better.
        said = sum(step["state"] == "unknown" for row in found.ledger for step in row["steps"])
        assert cut <= said <= r.cuts, "as often UNKNOWN as dialogues ended after the dot"
        copies = len(found.mails) - len({mail.message_id for mail in found.mails})
        assert copies <= TIMES + 2 + server.cut_mails, "a second copy only where the first was kept without a reply"
        r.hit("letters UNKNOWN", said)
        r.hit("second copies, under the same Message-ID", copies)
        await r.judge(("sent", "failed"))
