"""The mail catcher keeps what is sent and shows it."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from deploy.local.stack import LocalStack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("mail")) as stack:
        stack.start(mail=True)
        yield stack


@pytest.fixture(scope="module")
def shown(stack: LocalStack) -> str:
    """One invitation is sent; the page that shows it."""
    message = EmailMessage()
    message["From"] = "Sở Khoa học và Công nghệ <doi-thoai@so-khcn.example>"
    message["To"] = "nguoi.dan@thu.example"
    message["Subject"] = "Giấy mời tham dự hội nghị đối thoại"
    message["Message-ID"] = "<1@so-khcn.example>"
    message.set_content("Kính gửi ông Lò Văn Mẫu,")
    message.add_alternative("<p>Kính gửi <b>ông Lò Văn Mẫu</b></p><script>alert(1)</script>", subtype="html")
    message.add_attachment(b"%PDF-1.7 ...", maintype="application", subtype="pdf", filename="giấy mời.pdf")
    with smtplib.SMTP("127.0.0.1", stack.smtp_port) as smtp:
        smtp.send_message(message)
    index = httpx.get(stack.mail_url).raise_for_status().text
    assert "nguoi.dan@thu.example" in index
    assert "Giấy mời tham dự hội nghị đối thoại" in index
    name = next(stack.mail_dir.glob("*.eml")).stem
    assert f'href="/{name}"' in index
    return f"{stack.mail_url}/{name}"


def test_an_accepted_message_is_a_file_with_its_recipients(stack: LocalStack, shown: str) -> None:
    content = next(stack.mail_dir.glob("*.eml")).read_text()
    assert content.startswith("X-RcptTo: nguoi.dan@thu.example")
    assert "Message-ID: <1@so-khcn.example>" in content


def test_text_and_html_are_shown_and_no_script_can_run(shown: str) -> None:
    page = httpx.get(shown).raise_for_status().text
    assert "Kính gửi ông Lò Văn Mẫu," in page
    assert "<iframe sandbox srcdoc=" in page
    assert "<script>" not in page


def test_an_attachment_can_be_fetched(shown: str) -> None:
    page = httpx.get(shown).text
    assert "giấy mời.pdf" in page
    answer = httpx.get(f"{shown}/0")
    assert answer.content == b"%PDF-1.7 ..."
    assert answer.headers["content-type"] == "application/pdf"


@pytest.mark.parametrize("path", ["khong-co", "../secrets", "0000-aa", "%2e%2e%2fsecrets"])
def test_nothing_but_messages_is_served(stack: LocalStack, shown: str, path: str) -> None:
    assert httpx.get(f"{stack.mail_url}/{path}").status_code in (404, 422)


def test_the_state_directory_is_private_where_secrets_lie(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "state")
    first = stack.command_env()["DOITHOAI_SESSION_SECRET"]
    secrets = tmp_path / "state" / "secrets.json"
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert len(first) >= 32
    assert LocalStack(tmp_path / "state").command_env()["DOITHOAI_SESSION_SECRET"] == first
