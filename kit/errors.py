"""The two kinds of failure. Every error of ours derives from one of them, and that alone decides what a consumer, a relay or a
web handler does about it. Messages never hold personal data.
"""


class Permanent(Exception):
    """Trying again cannot help: the input or a rule is wrong. A consumer writes a dead letter and goes on."""


class Transient(Exception):
    """The surroundings are at fault (database, broker, network): wait and try again, never dead-letter."""


class NotFound(Permanent):
    """What was asked for does not exist, or may not be known to exist (a sealed question: 404)."""


class Conflict(Permanent):
    """Somebody else changed it meanwhile, or the state does not allow the act."""


class Forbidden(Permanent):
    """The role does not allow the act."""


class StaleForm(Forbidden):
    """A form without the token of this session: opened before the last sign-in, or sent by another site."""


class Invalid(Permanent):
    """Input that breaks a rule. `errors` maps a field to a courteous Vietnamese sentence."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(", ".join(sorted(errors)))
        self.errors = errors


class Unavailable(Transient):
    """A part the request needs is down; the caller may try again after `retry_after` seconds."""

    def __init__(self, what: str, retry_after: int = 5) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class TooMany(Transient):
    """More of something than its rate allows; the caller may go on after `retry_after` seconds."""

    def __init__(self, what: str, retry_after: int) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after = retry_after
