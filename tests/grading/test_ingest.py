from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from labkit.grading.ingest import LARGEST_NOTEBOOK, Found, NoSubmissions, find, read
from labkit.grading.submitted import Refused

NAME = "01_anatomy_of_a_call.ipynb"


def put(root: Path, *names: str, data: bytes = b"{}") -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def zipped(path: Path, **members: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def students(folder: Path) -> list[str]:
    return [found.student for found in find(folder)]


def refusal(found: Found) -> str:
    with pytest.raises(Refused) as refused:
        read(found)
    return str(refused.value)


@pytest.mark.parametrize(
    "names",
    [
        ["ada.ipynb", "bob.ipynb"],
        [f"ada/{NAME}", f"bob/{NAME}"],
        [f"submitted/ada/ex01/{NAME}", f"submitted/bob/ex01/{NAME}"],
        [f"ada_1234_assignsubmission_file/{NAME}", "bob_99_assignsubmission_file_/homework.ipynb"],
    ],
)
def test_layouts(tmp_path: Path, names: list[str]) -> None:
    assert students(put(tmp_path, *names)) == ["ada", "bob"]


def test_a_zip_of_a_class_and_a_zip_of_each(tmp_path: Path) -> None:
    zipped(tmp_path / "class" / "all.zip", **{f"ada/{NAME}": b"{}", f"bob/{NAME}": b"{}"})
    zipped(tmp_path / "each" / "cyd.zip", **{NAME: b"{}"})
    zipped(tmp_path / "flat.zip", **{"ada.ipynb": b"{}", "bob.ipynb": b"{}"})
    assert students(tmp_path / "flat.zip") == ["ada", "bob"]
    assert students(tmp_path / "class") == ["ada", "bob"]
    assert students(tmp_path / "each") == ["cyd"]
    assert [f.file for f in find(tmp_path / "class")] == [f"all.zip/ada/{NAME}", f"all.zip/bob/{NAME}"]


def test_a_single_file(tmp_path: Path) -> None:
    assert students(put(tmp_path, "ada.ipynb") / "ada.ipynb") == ["ada"]
    assert students(zipped(tmp_path / "all.zip", **{f"ada/{NAME}": b"{}"})) == ["ada"]


def test_what_is_no_submission_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "ada.ipynb", ".ipynb_checkpoints/ada-checkpoint.ipynb", "notes.txt")
    assert students(tmp_path) == ["ada"]


@pytest.mark.parametrize("name", ["nothing here", "missing"])
def test_nothing_to_grade(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing here").mkdir()
    with pytest.raises(NoSubmissions):
        find(tmp_path / name)


def test_names_that_differ_by_case_only(tmp_path: Path) -> None:
    found = find(put(tmp_path, f"ada/{NAME}", f"Ada/{NAME}", f"ADA/{NAME}"))
    assert len({one.id.casefold() for one in found}) == 3
    assert {one.student for one in found} == {"ada", "Ada", "ADA"}


def test_names_that_would_not_show_are_spelled_out(tmp_path: Path) -> None:
    [found] = find(put(tmp_path, "ada\u202egpj.\x07\u200b\n.ipynb"))
    assert found.student == "ada⟨202E⟩gpj.⟨07⟩⟨200B⟩⟨0A⟩"
    assert found.id.isascii() and found.id.startswith("ada-gpj")


def test_ids_do_not_change_when_others_hand_in(tmp_path: Path) -> None:
    [before] = find(put(tmp_path, "cyd.ipynb"))
    put(tmp_path, "ada.ipynb", "zoe.ipynb")
    assert before.id in {found.id for found in find(tmp_path)}


def test_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "outside", "secret.ipynb")
    folder = put(tmp_path / "in", "ada.ipynb")
    (folder / "bob.ipynb").symlink_to(tmp_path / "outside" / "secret.ipynb")
    (folder / "cyd").symlink_to(tmp_path / "outside")
    found = {one.student: one for one in find(folder)}
    assert set(found) == {"ada", "bob"}
    assert "link" in refusal(found["bob"])


def test_a_file_that_became_a_link_after_it_was_found(tmp_path: Path) -> None:
    [found] = find(put(tmp_path, "ada.ipynb"))
    found.path.unlink()
    found.path.symlink_to("/etc/hostname")
    assert "cannot be read" in refusal(found)


def test_a_pipe_is_no_submission(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ada.ipynb")
    [found] = find(tmp_path)
    assert "no regular file" in refusal(found)


def test_a_notebook_of_200_mb_is_not_read(tmp_path: Path) -> None:
    [found] = find(put(tmp_path, "ada.ipynb"))
    os.truncate(found.path, 200 * 2**20)
    assert "larger than 20 MB: clear the outputs" in refusal(found)


@pytest.mark.parametrize("name", ["../../etc/cron.ipynb", "/etc/x.ipynb", "..\\..\\x.ipynb", "C:/x.ipynb"])
def test_a_member_that_leads_out_of_its_zip(tmp_path: Path, name: str) -> None:
    [found] = find(zipped(tmp_path / "class.zip", **{name: b"{}"}))
    assert "leads out" in refusal(found)
    assert sorted(tmp_path.rglob("*.ipynb")) == []


def test_a_zip_bomb_is_unpacked_up_to_the_limit_only(tmp_path: Path) -> None:
    [found] = find(zipped(tmp_path / "class.zip", **{"ada.ipynb": bytes(LARGEST_NOTEBOOK * 8)}))
    assert found.path.stat().st_size < 10**6
    assert "larger than" in refusal(found)


def test_a_zip_that_lies_about_its_sizes(tmp_path: Path) -> None:
    path = zipped(tmp_path / "class.zip", **{"ada.ipynb": bytes(10**6)})
    size = (10**6).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))
    [found] = find(path)
    assert refusal(found)


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("ada.ipynb")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    [found] = find(tmp_path)
    assert "link" in refusal(found)


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04 torn"])
def test_a_broken_zip_is_one_refusal_among_others(tmp_path: Path, data: bytes) -> None:
    put(put(tmp_path, "ada.ipynb"), "bob.zip", data=data)
    found = {one.student: one for one in find(tmp_path)}
    assert read(found["ada"]) == b"{}"
    assert "zip cannot be read" in refusal(found["bob"])
