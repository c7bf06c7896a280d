"""`doithoai backup`: all five databases as they were at one moment, in one directory that `doithoai restore` reads.

The directory holds a gzip file of BSON documents for each collection and, written last, a manifest with their counts and
SHA-256. Indexes are not in it: `migrate` makes them. The files hold personal data: the directory is 0700, each file 0600.
"""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError

from cli.migrate import SERVICES
from kit.settings import ServiceSettings

DATABASES = (*SERVICES, "files")
MANIFEST = "manifest.json"
RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

SNAPSHOT_TOO_OLD = 239
SNAPSHOT_UNAVAILABLE = 246
EXPLAINED = {
    SNAPSHOT_TOO_OLD: "The backup took longer than MongoDB remembers the past (minSnapshotHistoryWindowInSeconds, 300 s): "
    "raise that on every member, as docs/operations.md says under “Taking a backup”, and run this again.",
    SNAPSHOT_UNAVAILABLE: "Collections or indexes were being made meanwhile. Let `migrate` finish, then run this again.",
}

Client: TypeAlias = MongoClient[dict[str, Any]]


class BackupError(Exception):
    """What the operator has to know, in one line."""


class Copy(BaseModel):
    """The copy of one collection. `database` is named without the prefix, so that a copy may be restored under another one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database: Literal["intake", "routing", "notify", "reporting", "files"]
    collection: str = Field(pattern=r"^\w[\w.]*$")
    documents: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file as it lies there, compressed")

    @property
    def name(self) -> str:
        return f"{self.database}.{self.collection}"

    @property
    def file(self) -> str:
        return f"{self.name}.bson.gz"


class Manifest(BaseModel):
    """What a backup holds. A directory without one is not a backup: it is written when all else is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    taken_at: datetime = Field(description="The moment that all copies show, by the database's clock")
    collections: tuple[Copy, ...]


def backup(directory: Annotated[Path, typer.Argument(help="A new or an empty directory")]) -> None:
    """Copy all databases, as they were at one moment, into a directory. Services keep running meanwhile."""
    settings = ServiceSettings()
    try:
        with connect(settings.mongodb_url) as client:
            manifest = save(client, settings.mongodb_prefix, directory, done=lambda c: typer.echo(f"{c.name}: {c.documents}"))
    except (BackupError, PyMongoError, OSError) as error:
        typer.echo(explain(error), err=True)
        raise typer.Exit(1) from None
    total = sum(copy.documents for copy in manifest.collections)
    typer.echo(f"{total} documents of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC are in {directory}. They hold personal data.")


def connect(url: str) -> Client:
    """A client without a bound on operations: a large collection takes its time."""
    return MongoClient(url, w="majority", journal=True, tz_aware=True, tzinfo=UTC, appname="doithoai")


def explain(error: Exception) -> str:
    """One line without what MongoDB says in detail: that may hold documents or the password in the address."""
    if isinstance(error, OperationFailure) and error.code in EXPLAINED:
        return EXPLAINED[error.code]
    if isinstance(error, OperationFailure):
        return f"MongoDB refused: {type(error).__name__}, code {error.code}."
    if isinstance(error, PyMongoError):
        return f"MongoDB does not answer ({type(error).__name__}): check DOITHOAI_MONGODB_URL, and that it runs."
    return str(error)


def save(client: Client, prefix: str, directory: Path, *, done: Callable[[Copy], None] = lambda _: None) -> Manifest:
    """Write a backup of the databases `<prefix>_…` into `directory`; `done` is told of each collection.

    All reads happen at one cluster time, the moment of the first. Raises BackupError, PyMongoError or OSError, and then
    leaves nothing behind.
    """
    _make_private(directory)
    found = [
        (database, name)
        for database in DATABASES
        for name in sorted(client[f"{prefix}_{database}"].list_collection_names(filter={"type": "collection"}))
        if not name.startswith("system.")
    ]
    if not found:
        raise BackupError(f"There are no databases {prefix}_… to copy: see DOITHOAI_MONGODB_URL and DOITHOAI_MONGODB_PREFIX.")
    try:
        with client.start_session(snapshot=True) as session:
            taken_at = client.admin.command("hello")["localTime"]
            copies = []
            for database, name in found:
                collection = client[f"{prefix}_{database}"].get_collection(name, codec_options=RAW)
                copies.append(_copy(collection, session, database, directory))
                done(copies[-1])
        manifest = Manifest(taken_at=taken_at, collections=tuple(copies))
        with open(directory / MANIFEST, "xb", opener=_private) as file:
            file.write(manifest.model_dump_json(indent=2).encode())
    except BaseException:
        for file_path in directory.iterdir():
            file_path.unlink()
        raise
    return manifest


def _copy(collection: Collection[Any], session: ClientSession, database: str, directory: Path) -> Copy:
    path = directory / f"{database}.{collection.name}.bson.gz"
    documents = 0
    with open(path, "xb", opener=_private) as file:
        with gzip.open(file, "wb", compresslevel=6) as packed:
            for document in collection.find(session=session):
                packed.write(document.raw)
                documents += 1
        file.flush()
        os.fsync(file.fileno())
    return Copy.model_validate(
        {"database": database, "collection": collection.name, "documents": documents, "sha256": digest(path)}
    )


def load(directory: Path) -> Manifest:
    """The manifest of a backup, with every file compared to it. Raises BackupError when anything is missing or damaged."""
    try:
        manifest = Manifest.model_validate_json((directory / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise BackupError(f"{directory} is not a backup: it has no {MANIFEST}.") from None
    except ValidationError:
        raise BackupError(f"{directory / MANIFEST} is damaged, or of another version.") from None
    damaged = [copy.file for copy in manifest.collections if not _is_whole(directory / copy.file, copy.sha256)]
    if damaged:
        raise BackupError(f"Missing or damaged in {directory}: {', '.join(damaged)}. Nothing was written; take another backup.")
    return manifest


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and digest(path) == sha256


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _make_private(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(directory.iterdir()):
        raise BackupError(f"{directory} is not empty: give a backup a directory of its own.")
    directory.chmod(0o700)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
