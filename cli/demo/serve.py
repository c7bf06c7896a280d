"""`python -m cli.demo.serve CLOCK SERVICE`: a service as `doithoai serve` runs it, with the demonstration's clock."""

import argparse
from pathlib import Path

from fastapi import FastAPI

from cli.demo.clock import MovableClock
from cli.serve import Service, run
from kit.clock import Clock


def application(service: Service, clock: Clock) -> FastAPI:
    """The service's application, put together as in its own `main.py`, but for the clock."""
    match service:
        case Service.INTAKE:
            from services.intake import bootstrap as intake
            from services.intake.settings import IntakeSettings

            return intake.bootstrap(IntakeSettings(), clock=clock)[0]
        case Service.ROUTING:
            from services.routing import bootstrap as routing
            from services.routing.settings import RoutingSettings

            return routing.application(*routing.bootstrap(RoutingSettings(), clock=clock))
        case Service.NOTIFY:
            from services.notify import bootstrap as notify
            from services.notify.settings import NotifySettings

            return notify.bootstrap(NotifySettings(), clock=clock).app
        case Service.REPORTING:
            from services.reporting import bootstrap as reporting
            from services.reporting.settings import ReportingSettings

            return reporting.bootstrap(ReportingSettings(), clock=clock)[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clock", type=Path)
    parser.add_argument("service", type=Service)
    options = parser.parse_args()
    run(application(options.service, MovableClock(options.clock)))


if __name__ == "__main__":
    main()
