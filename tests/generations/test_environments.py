"""How an environment for an SDK generation is made, kept and given up. The packages are wheels made here."""

import subprocess
import zipfile

import pytest
from environments import COMPLETE, GENERATIONS, Generation, Unbuildable, interpreter, key

ABSENT = Generation("absent", "1.0", ("labkit-no-such-package==1.0",))


@pytest.fixture(autouse=True)
def no_index(monkeypatch):
    for name in ("PIP_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")


@pytest.fixture
def probe(tmp_path):
    """A generation whose only package is a module that knows its version."""

    def make(version):
        wheel = tmp_path / f"probe-{version}-py3-none-any.whl"
        info = f"probe-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("probe.py", f"VERSION = {version!r}\n")
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: probe\nVersion: {version}\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return Generation("probe", version, (f"probe @ {wheel.as_uri()}",))

    return make


def said_by(python):
    code = "import probe; print(probe.VERSION)"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_is_made_once_and_used_again(probe, tmp_path):
    folder = tmp_path / "made"
    python = interpreter(probe("1.0"), folder)
    [marker] = folder.glob(f"*/{COMPLETE}")
    before = marker.stat().st_mtime_ns
    assert said_by(python) == "1.0"
    assert interpreter(probe("1.0"), folder) == python and marker.stat().st_mtime_ns == before


def test_one_that_was_left_half_made_is_made_again(probe, tmp_path):
    folder = tmp_path / "made"
    python = interpreter(probe("1.0"), folder)
    next(folder.glob(f"*/{COMPLETE}")).unlink()
    next(folder.glob("*/**/probe.py")).unlink()
    assert said_by(interpreter(probe("1.0"), folder)) == "1.0" and python.exists()


def test_other_pins_replace_it_and_other_names_do_not(probe, tmp_path):
    folder, first = tmp_path / "made", probe("1.0")
    old, other = interpreter(first, folder), interpreter(probe("2.0"), folder)
    changed = Generation("probe", "1.0", probe("2.0").pins)
    assert said_by(interpreter(changed, folder)) == "2.0"
    assert not old.exists() and other.exists()


def test_what_cannot_be_made_says_why_and_leaves_nothing(tmp_path):
    with pytest.raises(Unbuildable, match="absent-1.0: .*labkit-no-such-package"):
        interpreter(ABSENT, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["absent.lock"]


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_an_environment_ci_fails_and_a_laptop_skips(python_of, monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no environment: absent-1.0"):
        python_of(ABSENT)


def test_keys_differ_and_names_are_unique():
    built = [generation for generation in GENERATIONS if generation.pins]
    assert len({key(generation) for generation in built}) == len(built)
    assert len({generation.name for generation in GENERATIONS}) == len(GENERATIONS)
