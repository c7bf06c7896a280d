"""Prometheus metrics of routing. Labels are names of ours."""

from prometheus_client import Gauge

STEPS_NOT_DONE = Gauge(
    "routing_steps_not_done",
    "Documents with a step that an act promised and that could not be done when last tried",
    ["collection"],
)
