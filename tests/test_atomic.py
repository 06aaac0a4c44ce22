"""Files appear whole or not at all, under names that nobody can foresee, and never through a link."""

import os
import stat

import pytest

from cnncomm_bench._utils import atomic
from cnncomm_bench._utils.errors import RunFolderError

LEFTOVER = ".partial-0123456789abcdef.csv"


@pytest.fixture
def canary(tmp_path):
    path = tmp_path / "canary"
    path.write_text("precious")
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_a_temporary_name_that_is_taken_is_not_followed(folder, canary, monkeypatch):
    """Even a name that was foreseen: the file is created, or nothing is written."""
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda size: "0123456789abcdef")
    (folder / LEFTOVER).symlink_to(canary)
    with pytest.raises(RunFolderError, match="File exists"):
        atomic.write_text(folder / "curves.csv", "new")
    assert canary.read_text() == "precious"
    assert not (folder / "curves.csv").exists()


def test_temporary_names_differ(folder):
    names = []
    for _ in range(3):
        atomic.write_atomically(folder / "curves.csv", lambda path: names.append(path.name))
    assert len(set(names)) == 3
    assert all(atomic.is_leftover(folder / name) is False for name in names)  # renamed
    assert [path.name for path in folder.iterdir()] == ["curves.csv"]


def test_files_have_the_rights_of_any_other(folder):
    (folder / "ordinary").write_text("")
    atomic.write_text(folder / "curves.csv", "new")
    modes = {stat.S_IMODE((folder / name).stat().st_mode) for name in ("ordinary", "curves.csv")}
    assert len(modes) == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(folder, error):
    def write(path):
        path.write_text("half")
        raise error

    atomic.write_text(folder / "curves.csv", "old")
    with pytest.raises((RunFolderError, ValueError, KeyboardInterrupt)):
        atomic.write_atomically(folder / "curves.csv", write)
    assert [path.name for path in folder.iterdir()] == ["curves.csv"]
    assert (folder / "curves.csv").read_text() == "old"


def test_leftovers_are_ours_regular_and_old(folder):
    """A young one may belong to a process that still writes."""
    (folder / LEFTOVER).write_text("half")
    (folder / ".partial-notes.csv").write_text("the user's")
    atomic.make_folder(folder)
    assert (folder / LEFTOVER).exists()
    os.utime(folder / LEFTOVER, (0, 0))
    os.utime(folder / ".partial-notes.csv", (0, 0))
    atomic.make_folder(folder)
    assert [path.name for path in folder.iterdir()] == [".partial-notes.csv"]


def test_a_leftover_that_is_a_link_is_refused(folder, canary):
    (folder / LEFTOVER).symlink_to(canary)
    with pytest.raises(RunFolderError, match=r"\.partial-.* is a link"):
        atomic.remove_leftovers(folder)
    assert (folder / LEFTOVER).is_symlink()


def test_a_folder_of_the_users_may_be_a_link(folder, tmp_path):
    """A folder inside a stranger's may not."""
    (tmp_path / "disk").symlink_to(folder)
    atomic.write_text(atomic.make_folder(tmp_path / "disk") / "curves.csv", "new")
    assert (folder / "curves.csv").read_text() == "new"
    with pytest.raises(RunFolderError, match="disk is a link, expected a folder"):
        atomic.make_subfolder(tmp_path / "disk")
