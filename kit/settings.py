"""Settings that every service reads, from the environment with the prefix `DOITHOAI_`.

The same settings point a service at the local stack, at docker-compose.yml or at an existing cluster; nothing in a
service knows which. A service adds its own in `services/<name>/settings.py` by subclassing `ServiceSettings`.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """What every service needs to run."""

    model_config = SettingsConfigDict(env_prefix="DOITHOAI_", extra="ignore", hide_input_in_errors=True)

    http_host: str = "127.0.0.1"
    http_port: int = Field(8000, description="The service's own port: pages, /healthz, /readyz, /metrics")
    public_url: str = Field("http://localhost:8080", description="Origin under which people reach the proxy; no slash at the end")
    mongodb_url: str = "mongodb://127.0.0.1:27017/?replicaSet=rs0"
    mongodb_prefix: str = Field("doithoai", description="Databases are named <prefix>_<service>; files lie in <prefix>_files")
    mongodb_pool: int = Field(50, gt=0, description="Connections a process keeps; Motor's threads follow it")
    mongodb_timeout_ms: int = Field(5_000, gt=0, description="Bound of every database operation")
    store_driver: Literal["motor", "pymongo"] = "motor"
    kafka_bootstrap: str = Field("127.0.0.1:9092", description="host:port of a broker, or of several with commas between")
    kafka_replication: int = Field(1, gt=0, description="Replicas of a topic, when migrate creates it")
    kafka_group_prefix: str = Field("doithoai", description="Consumer groups are named <prefix>.<service>")
    kafka_instance: str = Field(
        "",
        description="A name of this process that its replacement keeps, unique in the service: partitions then wait for it "
        "instead of being handed round, and one that was killed goes on at once. Empty: none",
    )
    agencies_dir: Path = Path("agencies")
    session_secret: SecretStr = Field(
        description="Signs staff sessions and CSRF tokens; equal in every service, at least 32 characters"
    )
    session_secure: bool = Field(True, description="Send cookies over HTTPS only; off for plain http on one machine")
    dead_letter_limit: int = Field(
        100, gt=0, description="A consumer stops when this many records of one batch were dead letters"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
