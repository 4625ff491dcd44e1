"""Files are written whole or not at all, and a full disk is said in one sentence."""

import errno
import os

import pytest

from edgetune_runtime.errors import BundleError, InputError
from edgetune_runtime.files import inside, replaced_directory, write_bytes


def test_a_directory_takes_the_old_ones_place(tmp_path):
    target = tmp_path / "bundle"
    for content in ("old", "new"):
        with replaced_directory(target) as fresh:
            (fresh / "file").write_text(content)
    assert (target / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        RuntimeError("Error while serializing: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_leaves_the_old_directory_and_is_named(tmp_path, error):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "file").write_text("old")

    def fail_halfway() -> None:
        with replaced_directory(target) as fresh:
            (fresh / "file").write_text("half")
            raise error

    with pytest.raises(InputError, match="disk is full"):
        fail_halfway()
    assert (target / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_an_error_while_writing_leaves_no_trace(tmp_path):
    with pytest.raises(KeyError), replaced_directory(tmp_path / "bundle"):
        raise KeyError("x")
    assert not list(tmp_path.iterdir())


def test_bytes_are_written_beside_and_renamed(tmp_path):
    write_bytes(tmp_path / "a" / "file", b"one")
    write_bytes(tmp_path / "a" / "file", b"two")
    assert (tmp_path / "a" / "file").read_bytes() == b"two"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x"])
def test_a_path_that_leaves_the_bundle_is_refused(tmp_path, path):
    with pytest.raises(BundleError, match="leaves the bundle"):
        inside(tmp_path, path)


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path):
    (tmp_path / "there.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "there.json")
    write_bytes(tmp_path / "link.json", b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "there.json").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(tmp_path / "pipe", b"through")
    assert os.read(reader, 10) == b"through"
    os.close(reader)
    assert not (tmp_path / "pipe").is_file()
