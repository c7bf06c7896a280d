"""What the command line says when it cannot begin: the setting, or the file and its line, and no trace of Python."""

import runpy
import shutil
import sys
from pathlib import Path

import pytest

from deploy.local.paths import ROOT


def said(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["doithoai", *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("cli", run_name="__main__")
    return str(ended.value.code)


def test_a_setting_that_is_missing_or_wrong_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOITHOAI_SESSION_SECRET", raising=False)
    monkeypatch.setenv("DOITHOAI_HTTP_PORT", "s3cret")
    told = said(monkeypatch, "status")
    assert sorted(line.partition(":")[0] for line in told.splitlines()) == ["DOITHOAI_HTTP_PORT", "DOITHOAI_SESSION_SECRET"]
    assert "s3cret" not in told


def test_a_profile_that_is_wrong_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "agencies", tmp_path / "agencies")
    profile = tmp_path / "agencies" / "son-la.yaml"
    profile.write_text(profile.read_text(encoding="utf-8") + "no_such_field: 1\n", encoding="utf-8")
    monkeypatch.setenv("DOITHOAI_SESSION_SECRET", "s" * 32)
    monkeypatch.setenv("DOITHOAI_AGENCIES_DIR", str(tmp_path / "agencies"))
    told = said(monkeypatch, "staff", "create", "son-la", "x", "--name", "x", "--role", "office")
    lines = len(profile.read_text(encoding="utf-8").splitlines())
    assert told == f"{profile}:{lines}: no_such_field: Extra inputs are not permitted"
