"""The ASGI application of reporting: `doithoai serve reporting`."""

from services.reporting.bootstrap import bootstrap
from services.reporting.settings import ReportingSettings

app, _service, _reporting = bootstrap(ReportingSettings())
