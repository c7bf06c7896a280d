"""What intake counts beside the metrics of every service."""

from prometheus_client import Counter, Histogram

GROUP_SIZE = Histogram("intake_group_size", "Registrations that shared a write", buckets=(1, 2, 5, 10, 20, 50, 100, 200))
REGISTRATIONS = Counter("intake_registrations_total", "Registrations by what became of the request", ["channel", "outcome"])
PUBLISHED_AGAIN = Counter("intake_registrations_published_again_total", "Registrations that routing had not shown in time")
