"""What notify needs beside the settings of every service."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from kit.settings import ServiceSettings


class NotifySettings(ServiceSettings):
    """The mail server, and how letters are worked off."""

    smtp_host: str = "127.0.0.1"
    smtp_port: int = 1025
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    smtp_sender: str = Field("", description="Address that letters come from; empty: the agency's own from its profile")
    smtp_timeout_seconds: float = Field(30.0, gt=0, description="Longest dialogue with the mail server about one letter")
    senders: int = Field(4, ge=1, description="Mails under way at once in this process, each on a connection of its own")
    lease_seconds: float = Field(
        90.0, gt=0, description="A claimed letter is free again after this (database clock); at least twice the longest dialogue"
    )
    retry_seconds: float = Field(
        60.0, gt=0, description="Before the second attempt at a letter; twice as long before each next one, at most an hour"
    )
    poll_seconds: float = Field(1.0, gt=0, description="How often an idle sender looks for letters that fell due")
    held_after_hours: float = Field(
        24.0, gt=0, description="A letter never seen before and older than this is held for staff (a restore, a replay)"
    )
    fonts_dir: str = Field(
        "", description="Directory of the Liberation Serif files that documents are set in; empty: Typst's own"
    )

    @model_validator(mode="after")
    def _lease_outlasts_dialogue(self) -> Self:
        if self.lease_seconds < 2 * self.smtp_timeout_seconds:
            raise ValueError("lease_seconds must be at least twice smtp_timeout_seconds")
        return self
