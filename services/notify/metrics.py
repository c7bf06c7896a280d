"""Prometheus metrics of notify. Labels are names of ours."""

from prometheus_client import Counter, Gauge

MAILS = Counter("mails_total", "Attempts to send a mail, by what became of them", ["kind", "status"])
FENCED = Counter("mail_outcomes_fenced_total", "Outcomes not written because the letter had passed to another worker")
OLDEST = Gauge("mail_oldest_age_seconds", "Age of the letter that waits longest to be mailed")
UNKNOWN = Gauge("mail_unknown_total", "Letters of which nobody knows whether they went out")
FOR_STAFF = Gauge("letters_for_staff_total", "Letters that wait for somebody's decision", ["state"])
CIRCUIT = Gauge("mail_circuit_open", "1 while the mail server is left alone after failed connections")
