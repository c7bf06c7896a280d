"""The ASGI application of notify: `doithoai serve notify`."""

from services.notify.bootstrap import bootstrap
from services.notify.settings import NotifySettings

app = bootstrap(NotifySettings()).app
