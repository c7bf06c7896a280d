"""What intake counts beside the metrics of every service."""

from prometheus_client import Counter, Histogram

from contracts.model import Channel

GROUP_SIZE = Histogram("intake_group_size", "Registrations that shared a write", buckets=(1, 2, 5, 10, 20, 50, 100, 200))
REGISTRATIONS = Counter("intake_registrations_total", "Registrations by what became of the request", ["channel", "outcome"])
for _channel in (Channel.WEB, Channel.API):  # shown before the first: a rate needs a nought to grow from
    REGISTRATIONS.labels(_channel, "unavailable")
FEEDBACK = Counter("intake_feedback_total", "Feedback by what became of the request", ["channel", "outcome"])
PUBLISHED_AGAIN = Counter("intake_registrations_published_again_total", "What routing had not shown in time")
