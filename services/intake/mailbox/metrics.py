"""Prometheus metrics of the mailboxes. Labels are codes of agencies."""

from prometheus_client import Counter, Gauge

WAITING = Gauge("mailbox_waiting", "Mails of people that the office has not dealt with", ["agency"])
OLDEST = Gauge("mailbox_oldest_age_seconds", "Age of the mail that has waited longest for the office", ["agency"])
CONNECTED = Gauge("mailbox_connected", "1 while this process reads the agency's mailbox", ["agency"])
TAKEN = Counter("mailbox_mails_total", "Mails taken from the mailbox, by what they are", ["agency", "kind"])
NOT_KEPT = Counter(
    "mailbox_mails_not_kept_total", "Mails left unmarked in the mailbox because they could not be kept", ["agency"]
)
