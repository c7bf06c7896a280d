"""Ports: all different, and a busy one is named with what it is for."""

import socket

import pytest

from deploy.local.errors import StackError
from deploy.local.ports import Ports, require_free


@pytest.mark.parametrize("ports", [Ports.fixed(8080, 8025, 18100), Ports.free(), Ports.free(nodes=3)])
def test_every_port_is_used_once(ports: Ports) -> None:
    all_ports = list(ports.by_purpose().values())
    assert len(set(all_ports)) == len(all_ports)


def test_fixed_ports_are_successive() -> None:
    internal = [port for name, port in Ports.fixed(8080, 8025, 18100).by_purpose().items() if port >= 18100]
    assert sorted(internal) == list(range(18100, 18108))


def test_a_busy_port_is_named_with_its_purpose_and_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError) as caught:
            require_free({"public site": port, "mail": Ports.free().smtp})
    message = str(caught.value)
    assert f"port {port} (public site)" in message
    assert "--port" in message
    assert "\n" not in message
