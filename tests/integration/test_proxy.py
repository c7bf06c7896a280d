"""One origin: each address reaches its service, and what is internal reaches nobody."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from deploy.local import proxy
from deploy.local.ports import HOST, Ports
from deploy.local.supervisor import Supervisor


def name_server(name: str, port: int) -> ThreadingHTTPServer:
    """A server that answers with its name and the path that it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"{name} {self.path}".encode())

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer((HOST, port), Handler)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("proxy")
    ports = Ports.free()
    servers = [name_server(name, port) for name, port in ports.services.items()]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    supervisor = Supervisor(directory / "logs")
    try:
        supervisor.start([proxy.program(directory / "caddy", ports)])
        yield f"http://localhost:{ports.proxy}"
    finally:
        supervisor.stop()
        for server in servers:
            server.shutdown()
            server.server_close()


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", "intake"),
        ("/son-la/", "intake"),
        ("/son-la/dang-ky/KH-01", "intake"),
        ("/son-la/tiep-nhan/phieu", "intake"),
        ("/api/v1/son-la/registrations", "intake"),
        ("/api/can-bo", "intake"),
        ("/api/docs", "intake"),
        ("/son-la/can-bo", "routing"),
        ("/son-la/can-bo/noi-dung/1", "routing"),
        ("/son-la/can-bo-khac", "intake"),
        ("/bac-kan/van-thu/so-gui", "notify"),
        ("/bac-kan/bao-cao/2026-Q4", "reporting"),
        ("/bac-kan/bao-cao/2026-Q4.xlsx", "reporting"),
        ("/bac-kan/so-lieu", "reporting"),
        ("/bac-kan/hoi-dap/can-bo", "intake"),
    ],
)
def test_each_address_reaches_its_service(origin: str, path: str, service: str) -> None:
    assert httpx.get(origin + path).text == f"{service} {path}"


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "/healthz", "/readyz", "/readyz/x", "/%6detrics", "/METRICS", "//metrics", "/x/../metrics"]
)
def test_what_is_internal_reaches_nobody(origin: str, path: str) -> None:
    answer = httpx.get(origin + path)
    assert (answer.status_code, answer.text) == (404, "")
