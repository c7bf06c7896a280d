"""Who takes part in the demonstration, and what they write. All invented; addresses end in `.example`."""

from pathlib import Path

from cli.demo.book import AgencyBook, Content, Registrant, State
from cli.demo.book import Path as Way
from contracts.model import Channel, RegistrantKind
from kit.agency import Agency, load_agencies

OFFICE, INSPECTORATE = "van-phong", "thanh-tra"
SCIENCE, TECHNOLOGY = "quan-ly-khoa-hoc", "quan-ly-cong-nghe"
STANDARDS, INFORMATION = "tieu-chuan-do-luong", "thong-tin-ung-dung"

ACCOUNTS = {
    OFFICE: "vanphong",
    SCIENCE: "khoahoc",
    TECHNOLOGY: "congnghe",
    STANDARDS: "tdc",
    INFORMATION: "thongtin",
}
"""Unit → the first part of its staff's sign-ins; the officer's ends in `.chuyenvien`, the head's in `.truong`."""


def books(agencies_dir: Path) -> list[AgencyBook]:
    """The two sample agencies with everybody who will write to them."""
    agencies = load_agencies(agencies_dir)
    return [_son_la(agencies["son-la"]), _bac_kan(agencies["bac-kan"])]


def _book(
    agency: Agency, assigner: str, registrants: list[Registrant], late: list[Registrant], walk_in: Registrant
) -> AgencyBook:
    return AgencyBook(
        code=agency.code,
        name=agency.full_name,
        prefix=agency.case_prefix,
        sections={section.no: section.label for section in agency.form.sections},
        units={unit.code: unit.name for unit in agency.units},
        assigner=assigner,
        registrants=registrants,
        latecomers=late,
        walk_in=walk_in,
    )


def _son_la(agency: Agency) -> AgencyBook:
    """The sections name fields; the collective leadership puts contents before the units."""
    registrants = [
        Registrant(
            "Lò Văn Thử",
            [
                Content(
                    1,
                    "Đề nghị Sở cho biết hồ sơ đăng ký chủ trì đề tài khoa học cấp tỉnh gồm những gì và bao lâu thì có kết quả.",
                    SCIENCE,
                    SCIENCE,
                ),
                Content(
                    3,
                    "Cân của hộ kinh doanh phải kiểm định phương tiện đo bao lâu một lần? Tôi chờ hai tháng chưa được hẹn.",
                    STANDARDS,
                    STANDARDS,
                    outcome=State.TO_WRITE,
                    written=True,
                ),
            ],
            address="Bản Thử, phường Mẫu, thành phố Sơn La",
            phone="0912 000 001",
            email="lo.van.thu@nguoi-dan.example",
        ),
        Registrant(
            "Quàng Thị Thử",
            [
                Content(
                    2,
                    "Hợp đồng chuyển giao công nghệ sấy nông sản của chúng tôi có phải đăng ký chuyển giao công nghệ không?",
                    TECHNOLOGY,
                    TECHNOLOGY,
                    Way.IMPROVED,
                ),
                Content(
                    5,
                    "Từ bản đến trụ sở xa hơn một trăm cây số. Mong Sở có cách để người dân đỡ phải đi lại nhiều lần.",
                    None,
                    OFFICE,
                    outcome=State.ADOPTED,
                ),
            ],
            RegistrantKind.COOPERATIVE,
            "Hợp tác xã Nông sản Mường Thử",
            "Bản Mẫu, huyện Thử, tỉnh Sơn La",
            "0912 000 002",
            "htx.muong.thu@hop-tac-xa.example",
            attendance="substitute",
        ),
        Registrant(
            "Hoàng Văn Thử",
            [
                Content(
                    3,
                    "Công ty xin hỏi: ghi nhãn hàng hóa cho sản phẩm đã đăng ký nhãn hiệu thì nộp hồ sơ ở phòng nào?",
                    STANDARDS,
                    TECHNOLOGY,
                    Way.RETURNED,
                    State.ANSWERED,
                ),
                Content(
                    4,
                    "Đề nghị hướng dẫn tra cứu kết quả nghiên cứu đã nghiệm thu trong cơ sở dữ liệu khoa học của tỉnh.",
                    INFORMATION,
                    INFORMATION,
                    outcome=State.ANSWERED,
                ),
            ],
            RegistrantKind.ENTERPRISE,
            "Công ty TNHH Thử Nghiệm Tây Bắc",
            "Số 1, đường Mẫu, thành phố Sơn La",
            "0912 000 003",
            "lien-he@thu-nghiem-tay-bac.example",
            Channel.API,
            "absent",
        ),
        Registrant(
            "Cà Thị Thử",
            [
                Content(
                    4,
                    "Gia đình tôi muốn được hỗ trợ mô hình ứng dụng chế phẩm vi sinh trong trồng mận.",
                    INFORMATION,
                    INFORMATION,
                )
            ],
            address="Bản Thử Hai, huyện Mẫu, tỉnh Sơn La",
            phone="0912 000 004",
        ),
        Registrant(
            "Vì Văn Thử",
            [
                Content(
                    5,
                    "Tôi tố cáo cán bộ tiếp nhận hồ sơ đòi tiền lót tay khi tôi nộp hồ sơ hôm trước.",
                    path=Way.SEALED,
                    outcome=State.EXCLUDED,
                )
            ],
            email="vi.van.thu@nguoi-dan.example",
        ),
        Registrant(
            "Sa Thị Thử",
            [
                Content(
                    5,
                    "Đề nghị cho biết thủ tục cấp giấy chứng nhận quyền sử dụng đất nương của gia đình.",
                    None,
                    OFFICE,
                    Way.GUIDED,
                    State.GUIDED,
                )
            ],
            phone="0912 000 006",
            email="sa.thi.thu@nguoi-dan.example",
            channel=Channel.API,
        ),
    ]
    latecomers = [
        Registrant(
            "Lường Văn Thử",
            [
                Content(
                    2,
                    "Phòng khám vùng cao xin giấy phép tiến hành công việc bức xạ, đề nghị miễn phí thẩm định an toàn bức xạ.",
                    TECHNOLOGY,
                    TECHNOLOGY,
                    Way.ESCALATED,
                    State.ESCALATED,
                )
            ],
            phone="0912 000 007",
            channel=Channel.PAPER,
        )
    ]
    walk_in = Registrant(
        "Tòng Thị Thử",
        [
            Content(
                None,
                "Kết quả nghiên cứu về giống ngô đã nghiệm thu có được chuyển cho người dân trồng thử không?",
                unit=SCIENCE,
                outcome=State.TO_WRITE,
                due=True,
            )
        ],
        address="Bản Mẫu Ba, tỉnh Sơn La",
        channel=None,
    )
    return _book(agency, "giamdoc", registrants, latecomers, walk_in)


def _bac_kan(agency: Agency) -> AgencyBook:
    """The sections name no field, so the text decides; the office puts contents before the units."""
    registrants = [
        Registrant(
            "Triệu Thị Thử",
            [
                Content(
                    1,
                    "Thủ tục cấp chứng chỉ nhân viên bức xạ cho người vận hành máy X quang nha khoa gồm những bước nào?",
                    TECHNOLOGY,
                    TECHNOLOGY,
                ),
                Content(
                    2,
                    "Hồ sơ công bố hợp quy vật liệu xây dựng của cơ sở tôi bị yêu cầu bổ sung ba lần, đề nghị nói rõ một lần.",
                    STANDARDS,
                    STANDARDS,
                    Way.IMPROVED,
                ),
            ],
            address="Tổ 1, phường Mẫu, thành phố Bắc Kạn",
            phone="0912 000 011",
            email="trieu.thi.thu@nguoi-dan.example",
        ),
        Registrant(
            "Hà Văn Thử",
            [
                Content(
                    1,
                    "Công ty muốn đăng ký nhãn hiệu tập thể cho miến dong, xin hướng dẫn hồ sơ sở hữu công nghiệp.",
                    TECHNOLOGY,
                    TECHNOLOGY,
                    Way.OVERDUE,
                    State.ANSWERED,
                )
            ],
            RegistrantKind.ENTERPRISE,
            "Công ty Cổ phần Miến Thử",
            "Số 2, đường Mẫu, thành phố Bắc Kạn",
            "0912 000 012",
            "van-phong@mien-thu.example",
            Channel.API,
            "absent",
        ),
        Registrant(
            "Lý Thị Thử",
            [
                Content(
                    2,
                    "Đề tài nghiên cứu cấp cơ sở của trường tôi nghiệm thu đã lâu mà chưa được thanh lý hợp đồng.",
                    SCIENCE,
                    SCIENCE,
                    outcome=State.TO_WRITE,
                )
            ],
            address="Thôn Thử, xã Mẫu, tỉnh Bắc Kạn",
        ),
        Registrant(
            "Nông Văn Thử",
            [
                Content(
                    1,
                    "Tôi khiếu nại quyết định số 12/QĐ của Sở về việc từ chối hồ sơ của gia đình tôi.",
                    path=Way.SEALED,
                    outcome=State.SEALED,
                ),
                Content(
                    2,
                    "Đăng ký mã số mã vạch cho gạo nếp mất bao nhiêu ngày và có phải kiểm tra chất lượng sản phẩm không?",
                    STANDARDS,
                    STANDARDS,
                ),
            ],
            phone="0912 000 014",
            email="nong.van.thu@nguoi-dan.example",
        ),
    ]
    latecomers = [
        Registrant(
            "Bàn Thị Thử",
            [
                Content(
                    1,
                    "Hợp tác xã xin hướng dẫn xây dựng tiêu chuẩn cơ sở và công bố hợp chuẩn cho chè đóng gói.",
                    STANDARDS,
                    STANDARDS,
                )
            ],
            RegistrantKind.COOPERATIVE,
            "Hợp tác xã Chè Thử",
            "Thôn Mẫu, xã Thử, tỉnh Bắc Kạn",
            channel=Channel.PAPER,
            attendance="substitute",
        ),
        Registrant(
            "Đặng Văn Thử",
            [
                Content(
                    2,
                    "Thẩm định công nghệ của dự án chế biến gỗ kéo dài, đề nghị cho biết thời hạn.",
                    SCIENCE,
                    SCIENCE,
                )
            ],
            phone="0912 000 016",
            email="dang.van.thu@nguoi-dan.example",
            late=True,
        ),
        Registrant(
            "Ma Thị Thử",
            [
                Content(
                    1,
                    "Nộp hồ sơ qua mạng về sở hữu trí tuệ hay bị lỗi khi tải tệp, đề nghị khắc phục.",
                    TECHNOLOGY,
                    None,
                    Way.UNTOUCHED,
                    State.TO_FEEDBACK,
                )
            ],
            email="ma.thi.thu@nguoi-dan.example",
            late=True,
            feedback=True,
        ),
    ]
    walk_in = Registrant(
        "Hứa Văn Thử",
        [Content(None, "Giờ tiếp nhận hồ sơ tại bộ phận một cửa có buổi chiều thứ Sáu không?")],
        phone="0912 000 017",
        channel=None,
    )
    return _book(agency, "vanphong", registrants, latecomers, walk_in)
