"""What `doithoai up` prints can be copied."""

import json
from pathlib import Path

from cli.up import SIGN_INS, overview
from deploy.local.ports import Ports
from deploy.local.stack import LocalStack


def test_every_address_stands_whole_on_a_line_of_its_own(tmp_path: Path) -> None:
    state = tmp_path / ("a-long-directory-name-" * 5)
    stack = LocalStack(state, ports=Ports.fixed(8080, 8025, 18100))
    state.mkdir(exist_ok=True)
    account = {"agency": "son-la", "role": "officer (thong-tin-ung-dung)", "login": "thongtin.chuyenvien", "password": "p" * 16}
    (state / SIGN_INS).write_text(json.dumps([account]), encoding="utf-8")
    lines = overview(stack)
    for address in ("/son-la/", "/son-la/can-bo/", "/son-la/van-thu/", "/bac-kan/bao-cao/"):
        assert [line.split()[-1] for line in lines if line.endswith(f"{stack.public_url}{address}")]
    assert any(line.endswith(str(stack.mail_dir)) for line in lines)
    assert any(line.endswith(f"thongtin.chuyenvien  {account['password']}") for line in lines)
    assert all(line.count("://") <= 1 for line in lines)
