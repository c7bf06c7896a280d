"""The demonstration's time: the machine's, until the demonstration goes on to another day.

Registration, meeting and report lie weeks apart, and the rules judge every act by the time at which it is done. So the services
are given a clock that reads from a file how far ahead it is; nothing else about them differs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kit.clock import system_clock


@dataclass(frozen=True, slots=True)
class MovableClock:
    """A `kit.clock.Clock`, the same in every process that is given the same file."""

    file: Path

    def __call__(self) -> datetime:
        return system_clock() + self._ahead()

    def _ahead(self) -> timedelta:
        try:
            return timedelta(seconds=float(self.file.read_text(encoding="ascii")))
        except FileNotFoundError:
            return timedelta()

    def move_to(self, moment: datetime) -> None:
        """Go on to `moment`; it runs on from there. Raises ValueError for a moment in its past."""
        if moment < self():
            raise ValueError("The clock goes forward only")
        written = self.file.with_suffix(".new")
        written.write_text(str((moment - system_clock()).total_seconds()), encoding="ascii")
        written.replace(self.file)
