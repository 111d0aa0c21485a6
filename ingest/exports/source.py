"""An open file of somebody's history: its head, its lines, its objects, within bounds.

Owns the opening of files and of the files inside an archive, and how much of them is
read at most. Must not know what any of them means.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import IO, Any

import ijson
import orjson

from warehouse.errors import ImportRefused

HEAD_BYTES = 64 * 1024
LONGEST_LINE_BYTES = 8 * 1024 * 1024
DEEPEST_JSON = 50
"""Levels of a JSON document. What services write has ten at most."""
MOST_MEMBERS = 500
MEMBER_BYTES = 500 * 1024 * 1024
ALL_BYTES = 4 * 1024 * 1024 * 1024
DEEPEST = 2
"""How far archives may lie in archives: Apple's answer is one in one."""

_WANTED = re.compile(r"\.(json|jsonl|csv|tsv|txt|log|xml|xlsx|zip)$", re.IGNORECASE)
# Every byte that opens or closes nothing in JSON.
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass
class Source:
    """One file to be read, as often as asked.

    label: how messages call it; zone: of times that name none.
    opened: gives the bytes from the start.
    """

    label: str
    opened: Callable[[], IO[bytes]]
    zone: tzinfo = UTC
    _head: bytes | None = field(default=None, repr=False)

    @property
    def head(self) -> bytes:
        """The first bytes."""
        if self._head is None:
            with self.opened() as file:
                self._head = file.read(HEAD_BYTES)
        return self._head

    @property
    def is_archive(self) -> bool:
        return self.head.startswith(b"PK\x03\x04")

    @property
    def encoding(self) -> str:
        return "utf-16" if self.head[:2] in _UTF16 else "utf-8-sig"

    @property
    def text(self) -> str:
        """The first characters, without a byte order mark."""
        return self.head.decode(self.encoding, "replace")

    @property
    def first_lines(self) -> list[str]:
        """The first lines, at most 50; the last may be cut off."""
        return self.text.splitlines()[:50]

    @contextmanager
    def lines(self) -> Iterator[Iterator[str]]:
        """The lines as text; bytes that are not UTF-8 are surrogates.

        Raises:
            ImportRefused: a line has no end in sight.
        """
        with (
            self.opened() as file,
            io.TextIOWrapper(
                file, encoding=self.encoding, errors="surrogateescape", newline=""
            ) as text,
        ):
            yield self._bounded(text)

    def _bounded(self, text: io.TextIOWrapper) -> Iterator[str]:
        while line := text.readline(LONGEST_LINE_BYTES):
            if len(line) == LONGEST_LINE_BYTES:
                raise ImportRefused(
                    f"{self.label}: a line has more than {LONGEST_LINE_BYTES:,}"
                    " characters"
                )
            yield line

    def objects(self, where: str) -> Iterator[Any]:
        """The objects at a place of one JSON document (``scrobbles.item``).

        Raises:
            ImportRefused: it is no JSON, or too deep.
        """
        with self.opened() as file:
            if self.head.startswith(b"\xef\xbb\xbf"):
                file.read(3)
            try:
                shallow = _Shallow(file, self.label)
                yield from ijson.items(shallow, where, use_float=True)
            except (ijson.JSONError, UnicodeDecodeError) as error:
                said = " ".join(str(error).split())[:200]
                raise ImportRefused(f"{self.label}: this is no JSON: {said}") from error

    def json_lines(self) -> Iterator[tuple[int, dict[str, Any] | str]]:
        """Line number and object of each line; the line where it is none."""
        with self.opened() as file:
            number = 0
            while line := file.readline(LONGEST_LINE_BYTES):
                number += 1
                line = line.removeprefix(b"\xef\xbb\xbf").strip()
                if line:
                    try:
                        found = orjson.loads(line)
                    except ValueError:
                        found = None
                    is_object = isinstance(found, dict)
                    yield number, found if is_object else line.decode(errors="replace")


class _Shallow:
    """The bytes of a JSON document, as long as it is not too deep.

    ijson keeps the whole path to each level, so its memory is the square of the depth.
    Brackets are counted in the bytes, outside of texts: half a second for 59 MB, where
    ijson's events one by one took more than two.
    """

    def __init__(self, file: IO[bytes], label: str) -> None:
        self._file, self._label = file, label
        self._depth = 0
        self._is_in_text = False
        self._escape = b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            ImportRefused: a level lies too deep in them.
        """
        piece = self._file.read(size)
        # First what a backslash stands before: a quote there ends no text.
        looked = (self._escape + piece).replace(b"\\\\", b"").replace(b'\\"', b"")
        self._escape = looked[-1:] if looked.endswith(b"\\") else b""
        parts = looked.split(b'"')
        for bracket in b"".join(parts[self._is_in_text :: 2]).translate(None, _OTHERS):
            self._depth += 1 if bracket in b"[{" else -1
            if self._depth > DEEPEST_JSON:
                raise ImportRefused(
                    f"{self._label}: this JSON has more than {DEEPEST_JSON} levels"
                )
        self._is_in_text ^= len(parts) % 2 == 0
        return piece


class _Bounded(io.RawIOBase):
    """A member of an archive that is read up to a limit, whatever its header says."""

    def __init__(self, file: IO[bytes], label: str, limit: int) -> None:
        self._file, self._label, self._left = file, label, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            got = self._file.read(len(buffer))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise ImportRefused(f"{self._label} is damaged: {error}") from error
        self._left -= len(got)
        if self._left < 0:
            raise ImportRefused(f"{self._label} is too large for an archive's file")
        buffer[: len(got)] = got
        return len(got)

    def close(self) -> None:
        self._file.close()
        super().close()


def sources(path: Path, zone: tzinfo = UTC) -> Iterator[Source]:
    """The file, or the files in the archive that it is.

    Raises:
        ImportRefused: an archive is damaged or larger than the bounds.
    """
    whole = Source(path.name, lambda: path.open("rb"), zone)
    yield from _inside(whole, DEEPEST)


def _inside(source: Source, deep: int) -> Iterator[Source]:
    if not source.is_archive or _is_workbook(source):
        yield source
        return
    if not deep:
        return
    try:
        with source.opened() as file, zipfile.ZipFile(file) as archive:
            for member in _members(source.label, archive):
                yield from _member(source, archive, member, deep)
    except (zipfile.BadZipFile, RuntimeError, OSError) as error:
        raise ImportRefused(
            f"{source.label} is a damaged or encrypted archive: {error}"
        ) from error


def _members(label: str, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files worth a look, by the ends of their names; each is known by content."""
    wanted = [
        member
        for member in archive.infolist()
        if not member.is_dir()
        and _WANTED.search(member.filename)
        and "__MACOSX" not in member.filename
    ]
    if len(wanted) > MOST_MEMBERS:
        raise ImportRefused(
            f"{label} holds {len(wanted):,} files, more than {MOST_MEMBERS}: unpack"
            " it and name the files of the listening history"
        )
    if sum(member.file_size for member in wanted) > ALL_BYTES:
        raise ImportRefused(f"{label} unpacks to more than {ALL_BYTES / 1e9:.0f} GB")
    return sorted(wanted, key=lambda member: member.filename)


def _member(
    outer: Source, archive: zipfile.ZipFile, member: zipfile.ZipInfo, deep: int
) -> Iterator[Source]:
    label = f"{outer.label}/{member.filename}"

    def opened() -> IO[bytes]:
        bounded = _Bounded(archive.open(member), label, MEMBER_BYTES)
        return io.BufferedReader(bounded, 1 << 16)

    inner = Source(label, opened, outer.zone)
    if not inner.is_archive:
        yield inner
        return
    # An archive is read from its end, so it has to lie on the disk.
    with tempfile.NamedTemporaryFile(suffix=".zip") as unpacked:
        with opened() as file:
            shutil.copyfileobj(file, unpacked, 1 << 20)
        unpacked.flush()
        path = Path(unpacked.name)
        yield from _inside(Source(label, lambda: path.open("rb"), outer.zone), deep - 1)


def _is_workbook(source: Source) -> bool:
    try:
        with source.opened() as file, zipfile.ZipFile(file) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False
