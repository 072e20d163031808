"""`pyannote-pix2seq report`: a page that says what the diarization says."""

import re

import pytest

from tests.cli.conftest import assert_one_line_error


@pytest.fixture
def rttm(run, call):
    run("diarize", call, "--into", call.parent)
    return call.with_suffix(".rttm")


def text(path):
    """Words of a page."""
    body = path.read_text(encoding="utf-8").split("</head>")[1]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_of_a_recording(run, call, tmp_path):
    assert run("report", call, "--into", tmp_path / "page.html")[:2] == (0, f"{tmp_path}/page.html\n")
    page = text(tmp_path / "page.html")
    assert "0:06.4 long, 0:05.6 of speech, 0:00.2 of it by several people at once. 2 speakers, 3 turns." in page
    assert "SPEAKER_00 0:03.8 66 % 2 100 %" in page and "SPEAKER_01 0:02 34 % 1 100 %" in page
    assert "0:00.2 0:02.2 SPEAKER_00 100 %" in page
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert html.count("data:image/svg+xml") == 1 and not re.search(r"(src|href)=.http|<script", html)


def test_of_what_was_written_before(run, call, rttm, tmp_path):
    none = tmp_path / "none"  # nothing is diarized again, so no pipeline is needed
    for inputs in ([rttm], [call, rttm]):
        assert run("report", *inputs, "--into", tmp_path / "page.html", "--reference", rttm, pipeline=none)[0] == 0
        page = text(tmp_path / "page.html")
        assert "SPEAKER_00 0:03.8 66 % 2 –" in page and "DER 0.0 %, missed 0.0 %" in page
        assert ("0:06.4 long" if call in inputs else "0:06 long") in page


def test_several_files_and_names_that_are_no_html(run, call, rttm, tmp_path):
    other = tmp_path / "other.rttm"
    other.write_text("SPEAKER other 1 0.000 1.000 <NA> <NA> <b>Bob <NA> <NA>\n")
    (tmp_path / "nobody.rttm").write_text("")
    run("report", call, other, tmp_path / "nobody.rttm", "--into", tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.findall("<h2>(.*)</h2>", html) == ["call", "other", "nobody"]
    assert "&lt;b&gt;Bob" in html and "<b>Bob" not in html and "0 speakers, 0 turns." in text(tmp_path / "page.html")


def test_what_bulk_wrote_in_folders_is_recognised(run, call, tmp_path):
    (folder := tmp_path / "calls" / "more").mkdir(parents=True)
    inputs = [call.rename(folder / "a b.wav"), tmp_path / "out" / "more" / "a b.rttm"]
    run("bulk", tmp_path / "calls", "--into", tmp_path / "out")
    into = ["--reference", inputs[1], "--into", tmp_path / "page.html"]
    assert run("report", *inputs, *into, pipeline=tmp_path / "none")[0] == 0
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.findall("<h2>(.*)</h2>", html) == ["more/a_b"]
    assert "0:06.4 long" in text(tmp_path / "page.html") and "DER 0.0 %" in text(tmp_path / "page.html")


def test_mistakes_are_one_line(run, call, rttm, tmp_path):
    other = tmp_path / "other.rttm"
    other.write_text(rttm.read_text().replace(" call ", " other "))
    wrong = run("report", call, "--reference", other, "--into", tmp_path / "page.html")
    assert_one_line_error(wrong, "a reference is about other, but the files are call")
    assert_one_line_error(run("report", tmp_path / "none.rttm"), "none.rttm: there is no such file")
    assert_one_line_error(run("report", call, "--into", tmp_path), f"{tmp_path}: is a folder; --into takes a file")
    assert_one_line_error(run("report", tmp_path / "none.wav"), "none.wav: there is no such file")
    other.write_text("who spoke when\n")
    assert_one_line_error(run("report", other, "--into", tmp_path / "page.html"), "other.rttm: is no RTTM file")
    other.write_text(rttm.read_text())
    twice = run("report", rttm, other, "--into", tmp_path / "page.html")
    assert_one_line_error(twice, "other.rttm: another RTTM file is about 'call' too")
    assert not (tmp_path / "page.html").exists()
