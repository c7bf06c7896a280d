"""The ASGI application of intake: `doithoai serve intake`."""

from services.intake.bootstrap import bootstrap
from services.intake.settings import IntakeSettings

app, _service, _intake = bootstrap(IntakeSettings())
