"""Files are whole, as open to others as they should be, and found wherever they lie."""

import os
import stat
import sys

import pytest

from pyannote_pix2seq.files import audio_paths, replacing, walk, writing_text


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of Unix")
@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o002, 0o664), (0o022, 0o644)])
def test_files_are_as_open_as_the_process_makes_them_and_stay_so(tmp_path, mask, mode):
    path, before = tmp_path / "a.txt", os.umask(mask)
    try:
        with writing_text(path) as file:
            file.write("new")
        assert stat.S_IMODE(path.stat().st_mode) == mode
        path.chmod(0o640)
        with writing_text(path) as file:
            file.write("again")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640 and path.read_text() == "again"
    finally:
        os.umask(before)


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(OSError, match="full"), replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError("the disk is full")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and path.read_text() == "before"


def test_folders_are_walked_through_links_but_not_in_circles(tmp_path):
    calls, other = tmp_path / "calls", tmp_path / "other"
    for folder in (calls / "day", calls / ".hidden", other):
        folder.mkdir(parents=True)
        (folder / "a.wav").touch()
    (calls / "._a.wav").touch()
    try:
        (calls / "linked").symlink_to(other)
        (other / "back").symlink_to(calls)
    except OSError:
        pytest.skip("links cannot be made here")
    assert [path.relative_to(calls).as_posix() for path in walk(calls)] == ["day/a.wav", "linked/a.wav"]


def test_audio_that_has_to_be_converted_is_told_where_it_was_not(tmp_path):
    for name in ("a.wav", "a.m4a", "b.M4A", "c.txt"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"FFmpeg has to convert them first: 1 files, such as .*b.M4A"):
        assert audio_paths(walk(tmp_path)) == [tmp_path / "a.wav"]
