"""The file store (GridFS): written by the owner of a file's aggregate, read by key and SHA-256, which events carry."""

import contextlib
import io
from functools import cached_property
from hashlib import sha256
from uuid import NAMESPACE_OID, uuid5

from gridfs.asynchronous import AsyncGridFSBucket
from gridfs.errors import FileExists, NoFile
from pymongo import IndexModel
from pymongo import timeout as within

from contracts.model import FileRef
from kit.errors import NotFound, Transient
from kit.mongo import CollectionSpec, Database, bucket

SPECS = (
    CollectionSpec("fs.files", (IndexModel([("filename", 1), ("uploadDate", 1)], name="filename_1_uploadDate_1"),)),
    CollectionSpec("fs.chunks", (IndexModel([("files_id", 1), ("n", 1)], name="files_id_1_n_1", unique=True),)),
)
"""GridFS makes its indexes with the first file alone, so never after a restore."""


def _seconds(size: int) -> float:
    """For one file, whatever the service allows a database operation: ten megabytes take longer than a document."""
    return 5.0 + size / 1_000_000


class FileStore:
    """Files by key `<agency>/<aggregate>/<uuid>`. A file never changes: another content is another key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @cached_property
    def _bucket(self) -> AsyncGridFSBucket:
        # Made at the first use: Motor's binds to the running loop, and a service is put together before its loop runs.
        return bucket(self._database)

    def planned(self, agency: str, aggregate: str, name: str, media_type: str, content: bytes) -> FileRef:
        """What `put` will return."""
        digest = sha256(content).hexdigest()
        key = f"{agency}/{aggregate}/{uuid5(NAMESPACE_OID, f'{name}:{digest}')}"
        return FileRef(key=key, sha256=digest, name=name, media_type=media_type, size=len(content))

    async def put(self, agency: str, aggregate: str, name: str, media_type: str, content: bytes) -> FileRef:
        """Keep a file durably; repeating the same content is harmless."""
        file = self.planned(agency, aggregate, name, media_type, content)
        metadata = {"sha256": file.sha256, "media_type": media_type, "agency": agency}
        with contextlib.suppress(FileExists), within(_seconds(len(content))):
            await self._bucket.upload_from_stream_with_id(file.key, name, io.BytesIO(content), metadata=metadata)
        return file

    async def get(self, file: FileRef) -> bytes:
        """The content, checked against its SHA-256. Raises `NotFound`, or `Transient` when it is not (yet) whole."""
        buffer = io.BytesIO()
        try:
            with within(_seconds(file.size)):
                await self._bucket.download_to_stream(file.key, buffer)
        except NoFile:
            raise NotFound("file") from None
        content = buffer.getvalue()
        if sha256(content).hexdigest() != file.sha256:
            raise Transient("file differs from its checksum")
        return content

    async def delete(self, key: str) -> None:
        """Remove a file, whole or half written; one that is not there is as good as removed."""
        with contextlib.suppress(NoFile), within(_seconds(0)):
            await self._bucket.delete(key)
