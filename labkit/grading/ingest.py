"""Find the notebooks in a folder of submissions: one file a student, folders, nbgrader's layout, zips of any of these.

    submissions/ada.ipynb                            submissions/class.zip/ada/01_anatomy_of_a_call.ipynb
    submissions/ada/01_anatomy_of_a_call.ipynb       submissions/ada.zip/01_anatomy_of_a_call.ipynb
    submitted/ada/ex01/01_anatomy_of_a_call.ipynb    submissions/Ada Lovelace_1234_assignsubmission_file/hw.ipynb

Names and archives come from strangers. Only regular files are read, links are refused and not followed, sizes are
limited while reading and not believed, and nothing of an archive is ever written to disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from labkit.errors import LabkitError
from labkit.grading.submitted import Refused

LARGEST_NOTEBOOK = 20 * 2**20
"""Bytes."""
MOST_MEMBERS = 20_000
"""Of one zip."""
DEEPEST = 8
"""Folders below the folder of submissions."""
SKIPPED = {".ipynb_checkpoints", "__MACOSX", ".git", "__pycache__"}
LAYOUT = {"submitted", "submissions", "exercises", "my", "autograded", "downloaded"}
"""Folders that are about the layout and name nobody."""
EXERCISE = re.compile(r"(ex|exercise)?[ _-]?\d\d?([ _.-]|$)", re.IGNORECASE)
"""How the name of an exercise begins; any other name of a notebook may be a student's."""
MOODLE = re.compile(r"_\d+_assignsubmission_file_?$")


class NoSubmissions(LabkitError):
    """Nothing to grade where submissions were expected."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Found:
    """A notebook that was found, not yet read."""

    id: str
    """Unique, safe as a file name, and the same in every run over the same folder."""
    student: str
    """As the path has it; characters that would not show, or would turn a line around, are spelled out."""
    file: str
    """Where it is, relative to the folder of submissions."""
    path: Path
    """The notebook, or the zip that holds it."""
    member: str = ""
    """Name inside the zip."""
    refusal: str = ""
    """Why it will not be read."""


def find(folder: Path) -> list[Found]:
    """Every notebook below a folder, or in one zip or notebook file, in an order that does not change.

    Raises:
        NoSubmissions: there is none.
    """
    if not folder.exists():
        raise NoSubmissions(f"there is no folder or zip {folder}")
    root = folder if folder.is_dir() else folder.parent
    entries = list(_walk(folder, 0)) if folder.is_dir() else [(folder, "")]
    found = sorted((one for path, why in entries for one in _of_entry(path, why, root)), key=lambda one: one.file)
    if not found:
        raise NoSubmissions(f"no notebook in {folder}")
    return [*_told_apart(found)]


def read(found: Found) -> bytes:
    """The bytes of a notebook.

    Raises:
        Refused: it is a link, no regular file, too large, or its archive is broken.
    """
    if found.refusal:
        raise Refused(found.refusal)
    if found.member:
        return _read_member(found)
    try:
        handle = os.open(found.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise Refused(f"the file cannot be read ({error.strerror})") from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused("it is no regular file")
        return _limited(file.read(LARGEST_NOTEBOOK + 1))


def _limited(data: bytes) -> bytes:
    if len(data) > LARGEST_NOTEBOOK:
        size = LARGEST_NOTEBOOK // 2**20
        raise Refused(f"the file is larger than {size} MB: clear the outputs (Kernel, Restart and clear) and save it")
    return data


def _walk(folder: Path, depth: int) -> Iterator[tuple[Path, str]]:
    """Notebooks and zips, each with a reason not to read it, or ""."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in SKIPPED and depth < DEEPEST:
                yield from _walk(path, depth + 1)
        elif path.suffix.lower() in (".ipynb", ".zip"):
            regular = entry.is_file(follow_symlinks=False)
            yield path, "" if regular else "it is a link or no regular file: hand in the file itself"


def _of_entry(path: Path, why: str, root: Path) -> Iterator[Found]:
    relative = path.relative_to(root)
    if why or path.suffix.lower() != ".zip":
        yield _found(relative.parts, path, refusal=why)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        yield _found(relative.parts, path, refusal=f"the zip cannot be read ({error})")
        return
    if len(members) > MOST_MEMBERS:
        yield _found(relative.parts, path, refusal=f"the zip has more than {MOST_MEMBERS:,} files")
        return
    for member in members:
        yield from _of_member(member, relative, path)


def _of_member(member: zipfile.ZipInfo, relative: Path, path: Path) -> Iterator[Found]:
    name = member.filename
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if member.is_dir() or not name.lower().endswith(".ipynb") or SKIPPED & set(parts):
        return
    outside = name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\\" in name
    mode = member.external_attr >> 16
    why = ""
    if outside:
        why = "its name in the zip leads out of the zip"
    elif mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        why = "it is a link in the zip: hand in the file itself"
    elif member.flag_bits & 1:
        why = "the zip is encrypted"
    yield _found((*relative.parts, *parts), path, member=name, refusal=why)


def _read_member(found: Found) -> bytes:
    try:
        with zipfile.ZipFile(found.path) as archive, archive.open(found.member) as file:
            return _limited(file.read(LARGEST_NOTEBOOK + 1))
    except Refused:
        raise
    except Exception as error:  # zipfile's, zlib's, lzma's: a broken archive has many ways
        raise Refused(f"it cannot be unpacked ({type(error).__name__})") from None


def _found(parts: tuple[str, ...], path: Path, *, member: str = "", refusal: str = "") -> Found:
    file = "/".join(visible(part) for part in parts)
    student = _student(parts)
    digest = hashlib.sha256("/".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return Found(f"{_slug(re.sub('⟨.*?⟩', '-', student))}-{digest}", student, file, path, member, refusal)


def _student(parts: tuple[str, ...]) -> str:
    """The first part of the path that names somebody: not the layout, not the exercise."""
    names = [re.sub(r"\.(ipynb|zip)$", "", part, flags=re.IGNORECASE) for part in parts]
    people = [name for name in names[:-1] if name.lower() not in LAYOUT]
    # A zip with folders or with notebooks named for people is the class's; one with an exercise in it is its owner's.
    zipped = any(part.lower().endswith(".zip") for part in parts[:1])
    if zipped and (len(people) > 1 or not EXERCISE.match(names[-1])):
        people = people[1:]
    return visible(MOODLE.sub("", people[0] if people else names[-1]))


def _told_apart(found: Iterable[Found]) -> Iterator[Found]:
    """Ids that differ also where file systems do not tell upper from lower case."""
    used: Counter[str] = Counter()
    for one in found:
        used[one.id] += 1
        yield one if used[one.id] == 1 else replace(one, id=f"{one.id}-{used[one.id]}")


def visible(name: str) -> str:
    """A name in which every character shows and none changes the direction of the line.

    >>> visible("ada\\u202elove\\x07")
    'ada⟨202E⟩love⟨07⟩'
    """
    return "".join(char if _shows(char) else f"⟨{ord(char):02X}⟩" for char in name)


def visible_lines(text: str) -> str:
    """The same for a text of several lines; a tab becomes four spaces.

    >>> visible_lines("a\\u202eb\\r\\nc\\td")
    'a⟨202E⟩b\\nc    d'
    """
    return "\n".join(visible(line) for line in text.replace("\r\n", "\n").replace("\t", "    ").split("\n"))


def _shows(char: str) -> bool:
    return char == " " or unicodedata.category(char)[0] not in "CZ"


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "student"
