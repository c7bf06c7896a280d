"""docker-compose.yml and deploy/Dockerfile, checked as far as that goes without a Docker engine."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from deploy.local.paths import ROOT
from deploy.local.ports import SERVICES
from deploy.local.stack import ENV_PREFIX, LocalStack, settings_class

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(COMPOSE)
    return loaded["services"]  # type: ignore[no-any-return]


def fields_of(service: str) -> set[str]:
    return {ENV_PREFIX + name.upper() for name in settings_class(service).model_fields}


def own_settings(environment: dict[str, str]) -> set[str]:
    return {name for name in environment if name.startswith(ENV_PREFIX)}


def test_the_file_keeps_to_the_compose_schema() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", COMPOSE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_that_a_service_reads_is_set_and_no_other(compose: dict[str, Any], service: str) -> None:
    assert own_settings(compose[service]["environment"]) == fields_of(service)


@pytest.mark.parametrize("service", SERVICES)
def test_the_values_are_ones_that_the_service_accepts(compose: dict[str, Any], service: str) -> None:
    values = {name: with_defaults(text) for name, text in compose[service]["environment"].items()}
    names = {ENV_PREFIX + field.upper(): field for field in settings_class(service).model_fields}
    settings_class(service).model_validate({names[env]: value for env, value in values.items() if env in names})


def with_defaults(text: str) -> str:
    """What Compose makes of `${NAME:-default}`, `${NAME-default}` and `${NAME:?message}`; a secret has 48 characters."""
    text = re.sub(r"\$\{\w+:\?[^}]*\}", "s" * 48, text)
    return re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("service", SERVICES)
def test_the_local_stack_sets_what_has_no_default(service: str, tmp_path: Path) -> None:
    required = {ENV_PREFIX + n.upper() for n, field in settings_class(service).model_fields.items() if field.is_required()}
    env = LocalStack(tmp_path).settings_env(service)
    assert required <= env.keys()
    assert env.keys() <= fields_of(service)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_reached_through_the_proxy_and_waits_for_migrate(compose: dict[str, Any], service: str) -> None:
    assert compose[service]["command"] == ["serve", service]
    assert compose["proxy"]["environment"][f"{service.upper()}_UPSTREAM"] == f"{service}:8000"
    assert compose[service]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert "ports" not in compose[service]


def test_every_image_has_a_fixed_version(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose.values()} - {"doithoai:latest"}
    assert images >= {"apache/kafka:4.3.0", "mongo:8.0"}
    assert all(re.fullmatch(r"[\w./-]+:v?\d[\w.-]*", image) for image in images)


def test_what_the_image_copies_is_there_and_sent_to_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied
    assert all((ROOT / path).exists() and f"!{path}" in sent for path in copied)


def test_the_image_does_not_run_as_root() -> None:
    assert re.search(r"^USER doithoai$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
