"""What a public form brings with it that a machine would rather not: an ALTCHA proof of work, and a field left empty.

    {% include "proof.html" %}                                    inside the <form>
    doubt = await proofs.judge(submitted.vouching, key)           when everything else about it is right

Nobody is turned away for lack of a proof: `doubt` says why somebody has to look at the form before it goes on (no JavaScript, no
secure context, a filled trap). See docs/decisions/0012-proof-of-work-and-a-moderated-queue.md.
"""

import base64
import hmac
import time
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b

import orjson
from altcha import Payload, create_challenge, verify_solution
from prometheus_client import Counter
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from kit.mongo import FAST, Collection, CollectionSpec
from kit.web.forms import Vouching

SPEC = CollectionSpec("proofs", (IndexModel([("ends", 1)], name="ended", expireAfterSeconds=60),))
"""Challenges whose proof was used, until they expire."""

_ALGORITHM = "PBKDF2/SHA-256"
_LONGEST = 4_096
"""Characters of a proof; ours have about 600."""
MARGIN = 300
"""Seconds that a proof must be good for when a form is shown again with it, and after which the script makes a new one."""
PROOFS = Counter("form_proofs_total", "Public forms by what their proof of work was worth", ["outcome"])


class Doubt(StrEnum):
    """Why a form may come from a machine."""

    TRAP = "trap"
    NO_PROOF = "no_proof"
    WRONG = "wrong"
    SPENT = "spent"
    EXPIRED = "expired"


class Proofs:
    """Challenges and what becomes of them. `cost`: iterations of PBKDF2 in each try, 256 tries on average; 0 asks for no proof.

    A challenge is good for `seconds`, and its proof for one submission. Processes that share `secret` and `spent` are one.
    """

    def __init__(self, spent: Collection, secret: bytes, *, cost: int, seconds: int) -> None:
        self._spent = spent.with_options(write_concern=FAST)  # a mark that is lost lets one proof be used twice
        self._secret = hmac.digest(secret, b"proof of work", "sha256")
        self._cost = cost
        self.seconds = seconds
        self.margin = MARGIN

    @property
    def asked(self) -> bool:
        """Whether forms ask for a proof."""
        return self._cost > 0

    def challenge(self) -> str:
        """A new challenge as JSON, signed, so that nothing is remembered of it before it is solved."""
        expires_at = int(time.time()) + self.seconds
        made = create_challenge(_ALGORITHM, self._cost, expires_at=expires_at, hmac_secret=self._secret)
        return orjson.dumps(made.to_dict()).decode()

    def carried(self, proof: str) -> str:
        """The proof of a form that is shown again, if it will still be good when that is sent; else empty."""
        payload = _payload(proof)
        expires_at = payload.challenge.parameters.expires_at if payload else None
        return proof if isinstance(expires_at, int) and expires_at > time.time() + MARGIN else ""

    async def judge(self, vouching: Vouching, key: str) -> Doubt | None:
        """What is doubtful about a form; None: nothing, and its proof is used up.

        `key` names the submission: the same one may come again with the same proof, another may not. Raises the driver's errors.
        """
        doubt = await self._judge(vouching, key)
        PROOFS.labels(doubt or "good").inc()
        return doubt

    async def _judge(self, vouching: Vouching, key: str) -> Doubt | None:
        if vouching.trap.strip():
            return Doubt.TRAP
        if not self.asked:
            return None
        if not vouching.proof:
            return Doubt.NO_PROOF
        payload = _payload(vouching.proof)
        if payload is None:
            return Doubt.WRONG
        result = verify_solution(payload, self._secret)  # the signature first: only our own challenges cost an iteration
        if not result.verified:
            return Doubt.EXPIRED if result.expired else Doubt.WRONG
        parameters = payload.challenge.parameters
        return None if await self._is_first(parameters.nonce, parameters.expires_at or 0, key) else Doubt.SPENT

    async def _is_first(self, nonce: str, ends: int, key: str) -> bool:
        by = blake2b(key.encode(), digest_size=16).digest()
        try:
            await self._spent.insert_one({"_id": nonce, "by": by, "ends": datetime.fromtimestamp(ends, UTC)})
        except DuplicateKeyError:
            known = await self._spent.find_one({"_id": nonce})
            return known is not None and bytes(known["by"]) == by
        return True


def _payload(proof: str) -> Payload | None:
    """What the script sends, if it can be read at all."""
    if not proof or len(proof) > _LONGEST:
        return None
    try:
        return Payload.from_dict(orjson.loads(base64.b64decode(proof)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
