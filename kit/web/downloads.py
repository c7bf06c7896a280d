"""Files that people sent: handed out to be saved, never shown by our pages' origin."""

from urllib.parse import quote

from starlette.responses import Response


def download(content: bytes, name: str) -> Response:
    """An answer that a browser saves under `name` (RFC 6266). It is of no type that a browser would open by itself."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return Response(content, media_type="application/octet-stream", headers={"Content-Disposition": disposition})
