"""How a service faces people: the application, pages, forms, error answers, guarded staff pages."""

from kit.tracing import current_trace
from kit.web.app import create_app
from kit.web.forms import Input, Submitted, read_form
from kit.web.guard import StaffGate, staff
from kit.web.rendering import AgencyFace, Templates

__all__ = ["AgencyFace", "Input", "StaffGate", "Submitted", "Templates", "create_app", "current_trace", "read_form", "staff"]
