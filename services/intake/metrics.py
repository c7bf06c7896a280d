"""What intake counts beside the metrics of every service."""

from prometheus_client import Counter, Gauge, Histogram

from contracts.model import Channel

GROUP_SIZE = Histogram("intake_group_size", "Registrations that shared a write", buckets=(1, 2, 5, 10, 20, 50, 100, 200))
REGISTRATIONS = Counter("intake_registrations_total", "Registrations by what became of the request", ["channel", "outcome"])
for _channel in (Channel.WEB, Channel.API):  # shown before the first: a rate needs a nought to grow from
    REGISTRATIONS.labels(_channel, "unavailable")
ATTACHMENTS = Counter("intake_attachments_total", "Files that came with forms by what became of them", ["outcome"])
for _outcome in ("kept", "refused", "infected", "unavailable"):
    ATTACHMENTS.labels(_outcome)
FEEDBACK = Counter("intake_feedback_total", "Feedback by what became of the request", ["channel", "outcome"])
for _channel in (Channel.WEB, Channel.API):
    FEEDBACK.labels(_channel, "unavailable")
PUBLISHED_AGAIN = Counter("intake_registrations_published_again_total", "What routing had not shown in time")
HELD = Gauge("registrations_held", "Registrations and feedback that the office has to look at before they go on", ["agency"])
HELD_OLDEST = Gauge("registrations_held_oldest_age_seconds", "Since when the oldest of them waits", ["agency"])
DATA_REQUESTS = Gauge("data_requests_open", "Requests about personal data that the office has not finished", ["agency"])
DATA_REQUESTS_OLDEST = Gauge("data_requests_oldest_age_seconds", "Since when the oldest of them was asked for", ["agency"])
DATA_REQUESTS_OVERDUE = Gauge("data_requests_overdue", "Those of them whose clock has run out", ["agency"])
