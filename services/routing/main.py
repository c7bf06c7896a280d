"""The ASGI application of routing: `doithoai serve routing`."""

from services.routing.bootstrap import application, bootstrap
from services.routing.settings import RoutingSettings

app = application(*bootstrap(RoutingSettings()))
