"""A real Dovecot for a test: its own directory and port, mailboxes as Maildirs that a test may write into."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imapclient import IMAPClient

from services.intake.mailbox.settings import Mailbox

PASSWORD = "mat-khau"
_CONFIG = """
base_dir = {home}/run
log_path = {home}/log
protocols = imap
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
{users}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{home}/mail/%u
maildir_stat_dirs = yes
mailbox_idle_check_interval = 1 secs
default_vsz_limit = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner} home={home}/homes/%u
}}
service imap-login {{
  {chroot}
  process_min_avail = 1
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
{rootless}
{more}
"""


def program() -> str:
    """Where Dovecot is. Fails where there is none: a mailbox is proved with a real one."""
    found = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found, "Dovecot is not installed (Debian: apt-get install dovecot-imapd); .ci/run installs it"
    return found


@dataclass
class Dovecot:
    """A running server."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]
    ca_file: Path | None = None

    def box(self, user: str, **changes: Any) -> Mailbox:
        """Settings of a user's mailbox."""
        plain = {"host": "localhost", "port": self.port, "security": "none", "user": user, "password": PASSWORD}
        return Mailbox.model_validate(plain | changes)

    def maildir(self, user: str) -> Path:
        """The user's inbox."""
        folder = self.home / "mail" / user
        for name in ("tmp", "new", "cur"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, _owner())
        return folder

    @contextmanager
    def client(self, user: str) -> Iterator[IMAPClient]:
        """Signed in as the user, the inbox selected."""
        client = IMAPClient("localhost", self.port, ssl=False, timeout=10)
        client.login(user, PASSWORD)
        client.select_folder("INBOX")
        try:
            yield client
        finally:
            client.logout()

    def deliver(self, user: str, mails: Mapping[str, bytes]) -> None:
        """Put mails into the inbox through IMAP, which tells who waits there at once."""
        with self.client(user) as client:
            for content in mails.values():
                client.append("INBOX", content)

    def flags(self, user: str) -> list[tuple[bytes, ...]]:
        """Flags of every mail in the inbox."""
        with self.client(user) as client:
            found = client.get_flags(client.search("ALL"))
            return [tuple(flag for flag in flags if flag != b"\\Recent") for _, flags in sorted(found.items())]

    def cut(self) -> None:
        """Cut every connection: the processes that serve signed-in clients die."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = stat.read_text().partition(" (")[2].rpartition(") ")
            except OSError:
                continue
            if name == "imap" and int(rest.split()[1]) == self.process.pid:
                os.kill(int(stat.parent.name), signal.SIGKILL)


def _owner() -> str:
    return "mail" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running_dovecot(*, idle: bool = True, tls: bool = False) -> Iterator[Dovecot]:
    """A server of one's own. `idle` False: it does not offer IDLE. `tls`: STARTTLS with a certificate for localhost."""
    executable = program()
    home = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
    home.chmod(0o755)
    for name in ("mail", "homes"):
        (home / name).mkdir()
        if os.getuid() == 0:
            shutil.chown(home / name, _owner())
    me = _owner()
    rootless = os.getuid() != 0
    port = _free_port()
    config = home / "dovecot.conf"
    config.write_text(
        _CONFIG.format(
            home=home,
            port=port,
            password=PASSWORD,
            owner=me,
            ssl="yes" if tls else "no",
            certificate=f"ssl_cert = <{home}/cert.pem\nssl_key = <{home}/key.pem" if tls else "",
            users=f"default_internal_user = {me}\ndefault_login_user = {me}\ndefault_internal_group = {me}" if rootless else "",
            chroot="chroot =" if rootless else "",
            rootless="service anvil {\n  chroot =\n}\nservice stats {\n  chroot =\n}" if rootless else "",
            more="" if idle else "imap_capability = IMAP4rev1 UIDPLUS",
        )
    )
    if tls:
        _certificate(home)
    process = subprocess.Popen([executable, "-F", "-c", config], stdin=subprocess.DEVNULL)
    try:
        _wait(port, process, home)
        yield Dovecot(home, port, process, home / "cert.pem" if tls else None)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _certificate(home: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", home / "key.pem", "-out", home / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )


def _wait(port: int, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as found:
                if found.recv(10).startswith(b"* OK"):
                    return
        except OSError:
            time.sleep(0.02)
    log = home / "log"
    raise AssertionError(f"Dovecot did not start: {log.read_text() if log.exists() else ''}")
