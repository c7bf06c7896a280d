"""Every Kafka topic: its key, partitions, retention. Nothing else creates a topic, and partitions are never changed in place
(the key's partition would change and with it the order of an aggregate's events).
"""

from dataclasses import dataclass

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `retention_days` None means compacted: the newest event of each key is kept for ever."""

    name: str
    key: str
    partitions: int
    retention_days: int | None

    @property
    def config(self) -> dict[str, str]:
        """Broker settings of the topic."""
        if self.retention_days is None:
            return {"cleanup.policy": "compact", "max.message.bytes": "1048576"}
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_days * DAY_MS),
            "max.message.bytes": "1048576",
        }


CONTACT_DAYS = 7
"""Contact data travel in topics of this retention alone (design: personal data)."""

REGISTRATIONS = Topic("intake.registrations", "registration", 6, CONTACT_DAYS)
FEEDBACK = Topic("intake.feedback", "feedback", 3, CONTACT_DAYS)
SURVEYS = Topic("intake.surveys", "response", 3, None)
DIALOGUES = Topic("routing.dialogues", "plan or dialogue", 1, None)
CASES = Topic("routing.cases", "registration", 6, None)
QUESTIONS = Topic("routing.questions", "question", 6, None)
STAFF = Topic("routing.staff", "account", 1, None)
CALENDARS = Topic("routing.calendars", "agency", 1, None)
INTAKE_LETTERS = Topic("intake.letters", "letter", 6, CONTACT_DAYS)
ROUTING_LETTERS = Topic("routing.letters", "letter", 6, CONTACT_DAYS)
REPORTING_LETTERS = Topic("reporting.letters", "letter", 3, CONTACT_DAYS)
DELIVERIES = Topic("notify.deliveries", "letter", 6, None)

TOPICS: tuple[Topic, ...] = (
    REGISTRATIONS,
    FEEDBACK,
    SURVEYS,
    DIALOGUES,
    CASES,
    QUESTIONS,
    STAFF,
    CALENDARS,
    INTAKE_LETTERS,
    ROUTING_LETTERS,
    REPORTING_LETTERS,
    DELIVERIES,
)
