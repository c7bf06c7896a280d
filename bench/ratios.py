"""The ratios, in the order of the table."""

from collections.abc import Mapping

from bench import consume, intake, mails, relay, reports
from bench.harness import Ratio

RATIOS: Mapping[str, Ratio] = {
    ratio.name: ratio
    for ratio in (
        intake.R1,
        intake.R2,
        consume.R3,
        consume.R3_PUBLISHED,
        consume.R4,
        relay.R5,
        mails.R6,
        mails.R6_OLDER,
        reports.R7,
        consume.R9,
        consume.R10,
    )
}
QUICK = ("R1", "R3", "R4", "R5")
