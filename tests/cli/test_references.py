import numpy as np
import pytest
import soundfile
from pyannote.core import Annotation, Segment

from pyannote_pix2seq.cli.evaluate import diarized
from pyannote_pix2seq.cli.loading import in_memory
from pyannote_pix2seq.cli.references import load_registries, read_rttm, references
from pyannote_pix2seq.cli.scores import score_diarization


@pytest.fixture
def folder(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / f"{name}.wav", np.zeros(32000), 16000)
        (tmp_path / name / f"{name}.rttm").write_text(f"SPEAKER {name} 1 0.5 1.0 <NA> <NA> loose <NA> <NA>\n")
    (tmp_path / "two" / "two.only_words.rttm").write_text("SPEAKER two 1 0.6 0.2 <NA> <NA> tight <NA> <NA>\n")
    (tmp_path / "two" / "two.uem").write_text("two 1 0.000 1.000\n")
    return tmp_path


def protocol(folder, name, test, audio="one/one.wav"):
    """Registered from a database.yml in the folder, whose only subset is said in YAML."""
    (folder / "database.yml").write_text(
        f"Databases: {{{name.partition('.')[0]}: '{audio}'}}\n"
        "Protocols: {%s: {%s: {%s: {test: {%s}}}}}\n" % (*name.split("."), test)
    )
    load_registries([folder / "database.yml"])
    return name


def test_references_beside_the_audio(folder):
    one, two = references(str(folder), "test")
    assert (one["uri"], one["annotation"].labels(), one["annotated"].duration()) == ("one", ["loose"], 2.0)
    assert (two["uri"], two["annotation"].labels(), two["annotated"].duration()) == ("two", ["loose"], 1.0)


def test_hidden_files_are_none(folder):
    (folder / "one" / "._one.wav").write_bytes(b"what another system leaves beside a file")
    assert len(references(str(folder), "test")) == 2


def test_a_kind_of_reference_wins_where_it_exists(folder):
    one, two = references(str(folder), "test", "only_words")
    assert one["annotation"].labels() == ["loose"] and two["annotation"].labels() == ["tight"]


def test_a_reference_without_its_recording_is_told(folder):
    (folder / "two" / "three.only_words.rttm").write_text("")
    with pytest.warns(UserWarning, match=r"no recording .* 1 references, such as three.only_words.rttm"):
        assert len(references(str(folder), "test", "only_words")) == 2


def test_who_talks_where_nothing_is_annotated_is_not_counted(folder):
    with (folder / "two" / "two.rttm").open("a") as file:
        file.write("SPEAKER two 1 1.5 0.4 <NA> <NA> late <NA> <NA>\n")
    assert references(str(folder), "test")[1]["annotation"].labels() == ["loose"]


def test_an_empty_reference_is_silence(folder):
    (folder / "one" / "one.rttm").write_text("")
    assert not references(str(folder), "test")[0]["annotation"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("two.rttm", "hello world\n", r"two.rttm: is no RTTM file; line 1 is 'hello world'"),
        ("two.rttm", ";; told\nSPEAKER two 1 a 1.0 <NA> <NA> who <NA> <NA>\n", "two.rttm: is no RTTM file; line 2"),
        ("two.rttm", "SPEAKER two 1 0.5 1.0 <NA>\n", "two.rttm: is no RTTM file; line 1"),
        ("two.rttm", "SPEAKER two 1 0.5 -1.0 <NA> <NA> who <NA> <NA>\n", "two.rttm: is no RTTM file; line 1"),
        ("two.rttm", "SPEAKER two 1 0.5 1.0 <NA> <NA> Al Bert <NA> <NA> <NA>\n", "two.rttm: is no RTTM file; line 1"),
        ("two.uem", "hello\n", "two.uem: is no UEM file; line 1 is 'hello'"),
        ("two.uem", "two 1 1.0 0.0\n", "two.uem: is no UEM file; line 1"),
    ],
)
def test_what_is_no_reference_is_not_taken_for_silence(folder, name, text, message):
    (folder / "two" / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        references(str(folder), "test")


@pytest.mark.parametrize("uri", ["<NA>", "NA", "None", "1"])
def test_files_may_have_any_name(folder, uri):
    turn = Annotation(uri=None if uri == "<NA>" else uri)  # which pyannote writes as <NA>
    turn[Segment(0.5, 1.0)] = "NA"
    (folder / "one" / "one.rttm").write_text(turn.to_rttm())
    (folder / "one" / "one.uem").write_text(f"{uri} 1 0.0 1.25\n")
    one = references(str(folder), "test")[0]
    assert list(one["annotation"].itertracks(yield_label=True)) == [(Segment(0.5, 1.0), 0, "NA")]
    assert list(one["annotated"]) == [Segment(0.0, 1.25)]


def test_a_file_of_which_only_other_things_are_told_is_there(folder):
    (folder / "told.rttm").write_text("SPKR-INFO one 1 <NA> <NA> <NA> unknown Al <NA> <NA>\n")
    assert {uri: len(annotation) for uri, annotation in read_rttm(folder / "told.rttm").items()} == {"one": 0}


def test_where_nothing_is_annotated_nothing_is_scored(folder):
    (folder / "one" / "one.uem").write_text("")
    (folder / "test.lst").write_text("one\ntwo\n")
    (folder / "test.rttm").write_text("SPEAKER one 1 0.5 1.0 <NA> <NA> told <NA> <NA>\n")
    (folder / "test.uem").write_text("one 1 0.0 1.5\n")
    tables = "uri: test.lst, annotation: test.rttm, annotated: test.uem"
    parts = protocol(folder, "Parts.SpeakerDiarization.Here", tables, "{uri}/{uri}.wav")
    assert references(str(folder), "test")[0]["annotated"].duration() == 0
    files = references(parts, "test")
    assert [file["annotated"].duration() for file in files] == [1.5, 0]
    found = Annotation()
    found[Segment(0.2, 0.9)] = "somebody"
    scores = score_diarization(files[1]["annotation"], found, files[1]["annotated"])
    assert scores.errors().false_alarm == 0 and scores.row()["found_speakers"] == 0


def test_comments_are_no_turns(folder):
    path = folder / "one" / "one.rttm"
    path.write_text(f";; annotated by hand\n\n{path.read_text()}")
    assert references(str(folder), "test")[0]["annotation"].labels() == ["loose"]
    path.write_bytes(path.read_bytes().replace(b"hand", b"Jos\xe9"))
    with pytest.raises(ValueError, match=r"one\.rttm' is not in UTF-8"):
        references(str(folder), "test")


def test_names_differ(folder):
    for suffix in ("wav", "rttm"):
        (folder / f"one.{suffix}").write_bytes((folder / "one" / f"one.{suffix}").read_bytes())
    with pytest.raises(ValueError, match="more than one file is called one; names must differ"):
        references(str(folder), "test")


def test_what_cannot_be_evaluated_on_is_told(folder, tmp_path):
    with pytest.raises(ValueError, match="neither a folder nor a protocol; known protocols"):
        references("Nowhere.SpeakerDiarization.None", "test")
    with pytest.raises(ValueError, match="subsets: train, development, test"):
        references(str(folder), "dev")
    with pytest.raises(ValueError, match="ends in .words.rttm"):
        references(str(folder), "test", "words")
    (folder / "one" / "one.rttm").unlink()
    with pytest.raises(ValueError, match="one.rttm is not beside it"):
        references(str(folder), "test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no audio file"):
        references(str(tmp_path / "empty"), "test")


def test_a_protocol_comes_before_the_folder_of_its_runs(folder, monkeypatch):
    """Training writes to a folder that is named after the protocol."""
    (folder / "test.lst").write_text("one\n")
    (folder / "test.rttm").write_text("SPEAKER one 1 0.5 1.0 <NA> <NA> told <NA> <NA>\n")
    protocol(folder, "Runs.Segmentation.Here", "uri: test.lst, annotation: test.rttm")
    monkeypatch.chdir(folder)
    (folder / "Runs.Segmentation.Here").mkdir()
    (file,) = references("Runs.Segmentation.Here", "test")
    assert file["annotation"].labels() == ["told"]


def test_a_protocol_that_does_not_say_where_its_audio_is(folder):
    (folder / "test.lst").write_text("one\n")
    (folder / "test.rttm").write_text("SPEAKER one 1 0.5 1.0 <NA> <NA> told <NA> <NA>\n")
    (folder / "database.yml").write_text(
        "Protocols: {Lost: {Segmentation: {Here: {test: {uri: test.lst, annotation: test.rttm}}}}}\n"
    )
    load_registries([folder / "database.yml"])
    with pytest.raises(ValueError, match=r"one: .* add `Databases: {Lost: path/to/{uri}.wav}` to its database.yml"):
        references("Lost.Segmentation.Here", "test")


def test_a_protocol_whose_tables_cannot_be_read_is_told(folder):
    (folder / "test.lst").write_text("one\n")
    (folder / "test.turns").write_text("")
    odd = protocol(folder, "Odd.Segmentation.Here", "uri: test.lst, annotation: test.turns")
    with pytest.raises(ValueError, match=r"Odd.Segmentation.Here: its test subset cannot be read: .*turns"):
        references(odd, "test")


def test_a_protocol_may_tell_the_channel(folder):
    samples = np.stack([np.zeros(32000), np.full(32000, 0.5)], 1)
    soundfile.write(folder / "one" / "one.wav", samples, 16000, "FLOAT")
    (folder / "test.lst").write_text("one\n")
    (folder / "test.rttm").write_text("SPEAKER one 1 0.5 1.0 <NA> <NA> told <NA> <NA>\n")
    stereo = protocol(folder, "Stereo.Segmentation.Here", "uri: test.lst, annotation: test.rttm, channel: 1")
    files = references(stereo, "test")
    assert (in_memory(files[0])["waveform"] == 0.5).all()
    heard = []

    def pipeline(file, **options):
        heard.append(file["waveform"])
        return Annotation()

    diarized(pipeline, files, "auto")
    assert (heard[0] == 0.5).all()


def test_a_registry_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "database.yml").write_text("Databases: {Here: [{uri}.wav]")
    with pytest.raises(ValueError, match=r"(?s)database.yml: is not valid YAML: .*line 1"):
        load_registries([tmp_path / "database.yml"])
    for content in ("", "SPEAKER a 1 0.0 1.0", "Protocols: [Here]", "Databases: Here"):
        (tmp_path / "database.yml").write_text(content)
        with pytest.raises(ValueError, match=r"database.yml: is no database.yml"):
            load_registries([tmp_path / "database.yml"])
    with pytest.raises(FileNotFoundError, match="there is no file '.*none.yml'"):
        load_registries([tmp_path / "none.yml"])
