"""What is shipped and what is locked."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("activities", "disputes", "sandbox", "starter", "workflows")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_product_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {*PACKAGES, "worker.py"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel.namelist())


def test_every_file_of_the_packages_that_is_no_leftover_is_in_the_wheel(
    wheel: zipfile.ZipFile,
) -> None:
    """Rule tables and migrations are data: a wheel without them would start and then fail."""
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES, "worker.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode == 0:
        expected = set(tracked.stdout.split())
    else:  # an exported tree has no leftovers
        expected = {
            str(path.relative_to(ROOT))
            for package in PACKAGES
            for path in (ROOT / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    assert expected <= set(wheel.namelist())


def test_the_wheel_gives_both_commands(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(entry_points).decode()
    assert "disputes = starter.cli:main" in text
    assert "dispute-worker = worker:main" in text


def _requirements() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    asked = [line for group in groups for line in group]
    return {re.split(r"[\[<>=~! ;]", line, maxsplit=1)[0].lower() for line in asked}


def test_every_dependency_is_locked_with_hashes() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text().strip())
    locked = {entry.split("==")[0] for entry in entries}
    assert _requirements() <= locked
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_names_no_place_to_download_from() -> None:
    assert "://" not in (ROOT / "requirements.lock").read_text()
