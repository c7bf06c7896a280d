"""QR codes for documents."""

from io import BytesIO

import segno


def qr_svg(address: str) -> str:
    """The QR code of an address as SVG, without the quiet zone: the document leaves white around it.

    A quarter of it may be damaged (error correction Q): posters hang for years.
    """
    image = BytesIO()
    segno.make_qr(address, error="q", boost_error=False).save(image, kind="svg", border=0, xmldecl=False)
    return image.getvalue().decode()
