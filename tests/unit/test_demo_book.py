"""The demonstration's second count, on a book that is small enough to be counted by hand."""

from datetime import timedelta
from pathlib import Path

import pytest

from cli.demo.book import AgencyBook, Content, Registrant, State
from cli.demo.book import Path as Way
from cli.demo.clock import MovableClock
from contracts.model import Channel


def a_book() -> AgencyBook:
    first = Registrant(
        "Lò Văn Thử",
        [
            Content(1, "a", unit="x", state=State.RESOLVED, clocks=[("preparation", "on time"), ("preparation", "late")]),
            Content(2, "b", unit="x", state=State.TO_WRITE, clocks=[("written", "running")]),
        ],
        number="SL-2026-000001",
    )
    sealed = Registrant("Vì Văn Thử", [Content(2, "c", path=Way.SEALED, state=State.SEALED)], number="SL-2026-000002")
    absent = Registrant("Cà Thị Thử", [], channel=Channel.API, number="")
    walk_in = Registrant("Tòng Thị Thử", [Content(None, "d", state=State.RESOLVED)], channel=None, number="SL-2026-HN000003")
    return AgencyBook(
        code="son-la",
        name="Sở",
        prefix="SL",
        sections={1: "Mục một", 2: "Mục hai"},
        units={"x": "Phòng X"},
        assigner="giamdoc",
        registrants=[first, sealed, absent],
        latecomers=[],
        walk_in=walk_in,
        held=True,
    )


def test_the_second_count() -> None:
    tables = a_book().tables()
    overview = {label: n for label, (n, _) in tables["Tổng hợp"].items() if n}
    assert overview == {
        "Hội nghị đối thoại đã tổ chức": 1,
        "Phiếu đăng ký tham gia đối thoại": 2,
        "Phiếu được mời dự": 1,
        "– có mặt": 1,
        "Người phát biểu ngoài danh sách đăng ký": 1,
        "Nội dung tiếp nhận": 4,
    }
    assert tables["Nội dung theo mục"] == {
        "Mục một": (1, 1, 0, 0),
        "Mục hai": (1, 0, 1, 1),
        "Hồ sơ hạn chế (chỉ đếm)": (1, 0, 1, 1),
        "Nêu trực tiếp, không theo mục": (1, 1, 0, 0),
        "Cộng": (4, 2, 2, 2),
    }
    assert tables["Đúng hạn và quá hạn"] == {
        "Chuẩn bị dự thảo trước Hội nghị": (1, 1, 2, 0, 0, 0),
        "Trả lời bằng văn bản sau Hội nghị": (0, 0, 0, 0, 1, 0),
    }


def test_the_clock_goes_forward_for_everybody_who_reads_its_file(tmp_path: Path) -> None:
    mine, other = MovableClock(tmp_path / "clock"), MovableClock(tmp_path / "clock")
    then = mine() + timedelta(days=21)
    mine.move_to(then)
    assert then <= other() < then + timedelta(minutes=1)
    with pytest.raises(ValueError, match="forward"):
        other.move_to(then - timedelta(days=1))
