"""What reporting needs: the settings of every service, and nothing beside."""

from kit.settings import ServiceSettings


class ReportingSettings(ServiceSettings):
    """Reporting reads events and answers with numbers; it has no secret, file or server of its own."""
