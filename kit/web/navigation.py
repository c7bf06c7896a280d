"""The navigation bars, the same in all four services: the public one, and the staff's, where each sees what the role opens."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kit.auth import READ_SEALED, Role, Session


@dataclass(frozen=True, slots=True)
class Section:
    """An entry. `path` stands below `/{agency}/`; it is shown to `roles`, or to holders of `permission`. `covers`: other paths
    whose pages belong to it. `counted`: intake knows how many wait there.
    """

    label: str
    path: str
    roles: frozenset[Role] = frozenset()
    permission: str = ""
    covers: tuple[str, ...] = ()
    counted: bool = False

    def open_to(self, session: Session) -> bool:
        """Whether this person sees the entry."""
        return session.has(*self.roles) or self.permission in session.permissions


_NOTHING: Mapping[str, int] = MappingProxyType({})
HELD = "tiep-nhan/cho-kiem-tra"
DATA_REQUESTS = "tiep-nhan/yeu-cau-du-lieu"
MAILS = "tiep-nhan/thu-dien-tu"
COUNTS = "tiep-nhan/dang-cho"
"""Where intake tells how many wait in the sections that are `counted`, for the bars of the other services."""
SECTIONS = (
    Section("Hàng đợi", "can-bo/", frozenset({Role.OFFICE, Role.OFFICER, Role.HEAD, Role.LEADERSHIP, Role.CONTROL})),
    Section("Phân loại", "can-bo/phan-loai", frozenset({Role.OFFICE, Role.LEADERSHIP})),
    Section("Kế hoạch", "can-bo/ke-hoach", frozenset({Role.OFFICE, Role.LEADERSHIP}), covers=("can-bo/doi-thoai",)),
    Section("Hạn chế", "can-bo/han-che", permission=READ_SEALED),
    Section("Tiếp nhận", "tiep-nhan/", frozenset({Role.OFFICE})),
    Section("Tiếp nhận PAKN", "tiep-nhan/phan-anh", frozenset({Role.CONTROL})),
    Section("Khảo sát", "tiep-nhan/khao-sat", frozenset({Role.OFFICE, Role.CONTROL})),
    Section("Chờ kiểm tra", HELD, frozenset({Role.OFFICE}), counted=True),
    Section("Dữ liệu cá nhân", DATA_REQUESTS, frozenset({Role.OFFICE}), counted=True),
    Section("Thư điện tử", MAILS, frozenset({Role.OFFICE}), counted=True),
    Section("Văn thư", "van-thu/", frozenset({Role.OFFICE})),
    Section("Báo cáo", "bao-cao/", frozenset({Role.OFFICE, Role.HEAD, Role.LEADERSHIP, Role.CONTROL})),
    Section("Lịch", "can-bo/lich", frozenset({Role.OFFICE})),
    Section("Tài khoản", "can-bo/tai-khoan", frozenset({Role.ADMINISTRATOR})),
)

PUBLIC = (
    ("Trang chủ", ""),
    ("Đối thoại", "doi-thoai"),
    ("Phản ánh, kiến nghị", "phan-anh-kien-nghi"),
    ("Hỏi đáp", "hoi-dap"),
    ("Thủ tục", "thu-tuc"),
    ("Số liệu", "so-lieu"),
    ("Tra cứu phiếu", "tra-cuu"),
    ("Liên hệ", "lien-he"),
)
_COVERS = {"doi-thoai": ("ke-hoach", "dang-ky", "ket-luan")}
"""Other paths whose pages belong to an entry of the public site."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A section as one page shows it. `waiting`: how many wait there; None: intake knows, and has to be asked."""

    label: str
    href: str
    current: bool
    waiting: int | None = 0


def sections_for(session: Session, path: str, waiting: Mapping[str, int] | None = _NOTHING) -> tuple[Entry, ...]:
    """The entries for this person; the one with the longest beginning of `path` is the current one.

    `waiting`: path of a section → how many wait there; None: this service does not know.
    """
    shown = [section for section in SECTIONS if section.open_to(session)]
    beginnings = [(below, section) for section in shown for below in (section.path, *section.covers)]
    fitting = [(below, section) for below, section in beginnings if path.startswith(f"/{session.agency}/{below}")]
    current = max(fitting, key=lambda pair: len(pair[0]))[1] if fitting else None
    return tuple(Entry(s.label, f"/{session.agency}/{s.path}", s is current, _waiting(s, waiting)) for s in shown)


def _waiting(section: Section, known: Mapping[str, int] | None) -> int | None:
    if not section.counted:
        return 0
    return None if known is None else known.get(section.path, 0)


def public_entries(agency: str, path: str) -> tuple[Entry, ...]:
    """The entries of the public site of `agency`."""
    first = path.removeprefix(f"/{agency}/").split("/")[0]
    return tuple(Entry(label, f"/{agency}/{below}", first == below or first in _COVERS.get(below, ())) for label, below in PUBLIC)
