"""Prometheus metrics that every service has. Labels are names of ours (topic, collection, reason), never input."""

from collections.abc import Mapping

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

REQUESTS = Counter("http_requests_total", "Requests answered", ["route", "method", "status"])
REQUEST_SECONDS = Histogram("http_request_seconds", "Time to answer a request", ["route"])
READY = Gauge("service_ready", "1 while a part that readiness rests on is well, asked when this is read", ["part"])
EVENTS_PUBLISHED = Counter("events_published_total", "Events acknowledged by Kafka", ["topic"])
PUBLISH_FAILURES = Counter("event_publish_failures_total", "Events that Kafka did not acknowledge", ["topic"])
EVENTS_REFUSED = Counter("events_refused_total", "Events that are larger than the broker takes", ["collection"])
OUTBOX_PENDING = Gauge("outbox_pending", "Documents with unpublished events, as the sweeper last counted", ["collection"])
OUTBOX_OLDEST = Gauge("outbox_oldest_age_seconds", "Since when the oldest unpublished event waits", ["collection"])
RECORDS_CONSUMED = Counter("records_consumed_total", "Records read from Kafka and committed", ["topic"])
BATCH_SECONDS = Histogram("consumer_batch_seconds", "Time to handle a batch of records", ["group"])
BATCH_RETRIES = Counter("consumer_batch_retries_total", "Batches given back because something was down", ["group"])
CONSUMER_HALTED = Gauge("consumer_halted", "1 after too many dead letters, until the process is started again", ["group"])
CONSUMER_JOINED = Gauge("consumer_joined", "1 while this process is a member of the group", ["group"])
CONSUMER_LAG = Gauge("consumer_lag_messages", "Records not yet read and committed", ["group", "topic", "partition"])
CONSUMER_LAG_SECONDS = Gauge("consumer_lag_seconds", "Age of the oldest record not yet read and committed", ["group", "topic"])
DEAD_LETTERS_WAITING = Gauge("dead_letters_waiting", "Dead letters of this service about which nobody has decided yet")
DEAD_LETTERS = Counter("dead_letters_total", "Records that could not be handled and lie in the dead letters", ["topic", "reason"])


def show_readiness(parts: Mapping[str, bool]) -> None:
    """Set `service_ready`, and forget parts that are no longer named."""
    READY.clear()
    for part, well in parts.items():
        READY.labels(part).set(well)


def exposition() -> tuple[bytes, str]:
    """Body and content type of /metrics."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
