"""Links to the survey about a case, which need no account (K3): routing signs them into letters, intake reads them.

The token holds the case's id and the moment at which it ends, signed for one agency; it names nobody. Its key comes from the
session secret, which every service has; with another secret, links that were sent no longer open anything.
"""

import hashlib
import struct
from datetime import UTC, datetime
from uuid import UUID

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from pydantic import SecretStr

from kit.errors import NotFound, Permanent

_CONTENT = struct.Struct(">I16s")
"""When it ends, in seconds since 1970; the case's id."""


class Expired(Permanent):
    """A genuine link whose time is over."""


class SurveyLinks:
    """Signs and reads tokens."""

    def __init__(self, secret: SecretStr) -> None:
        self._secret = secret.get_secret_value()

    def token(self, agency: str, case: UUID, until: datetime) -> str:
        """The token of a case, good before `until`. The same case and moment give the same token."""
        content = _CONTENT.pack(int(until.timestamp()), case.bytes)
        return self._signer(agency).sign(base64_encode(content)).decode()

    def case(self, agency: str, token: str, now: datetime) -> UUID:
        """The case of a token. Raises `NotFound` for what was not signed for this agency, `Expired` for what is over."""
        try:
            ends, case = _CONTENT.unpack(base64_decode(self._signer(agency).unsign(token)))
        except (BadData, struct.error, UnicodeEncodeError):
            raise NotFound("survey") from None
        if now >= datetime.fromtimestamp(ends, UTC):
            raise Expired("survey")
        return UUID(bytes=case)

    def _signer(self, agency: str) -> Signer:
        return Signer(self._secret, salt=f"doithoai.survey.{agency}", key_derivation="hmac", digest_method=hashlib.sha256)
