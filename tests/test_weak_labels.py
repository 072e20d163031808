"""Tables of labels, in the layouts in which sound event corpora distribute them."""

from importlib.metadata import EntryPoint

import pytest
import soundfile
from pyannote.core import Segment
from pyannote.database import FileFinder, custom, registry

from pyannote_pix2seq.weak_labels import LabelTable

CLIP = "-abcdefghi0_60.000_70.000"


def labels(tmp_path, text, uri=CLIP, name="table.csv"):
    (tmp_path / name).write_text(text)
    return LabelTable(tmp_path / name)({"uri": uri})


@pytest.mark.parametrize(
    "text",
    [
        # DCASE 2017 task 4, groundtruth_weak_label_*.csv: where the clip was cut from, a line for each tag
        f"{CLIP}.wav\t60.000\t70.000\tTrain horn\n{CLIP}.wav\t60.000\t70.000\tFire engine, fire truck (siren)\n",
        # DCASE 2017 task 4, training_set.csv
        '-abcdefghi0,60.000,70.000,"Train horn,Fire engine, fire truck (siren)","/m/1,/m/2"\n',
        # AudioSet
        '# YTID, start_seconds, end_seconds, positive_labels\n'
        '-abcdefghi0, 60.000, 70.000, "Train horn,Fire engine, fire truck (siren)"\n',
        # DESED
        f"filename\tevent_labels\n{CLIP}.wav\tTrain horn,Fire engine, fire truck (siren)\n",
        # plain
        f'file,tags\n{CLIP},"Train horn,Fire engine, fire truck (siren)"\n',
        f'{CLIP},"Train horn,Fire engine, fire truck (siren)"\n',
    ],
)  # fmt: skip
def test_tags_of_a_file(tmp_path, text):
    expected = ["Train horn", "Fire engine, fire truck (siren)"]
    assert labels(tmp_path, text) == expected
    assert labels(tmp_path, text, uri=f"Y{CLIP}") == expected  # how the audio is stored
    assert labels(tmp_path, text, uri=f"{CLIP}.wav") == expected
    assert labels(tmp_path, text, uri="unheard of") is None


@pytest.mark.parametrize(
    "text",
    [
        # DCASE 2017 task 4, groundtruth_strong_label_*.csv; times 0, 0 mean that the tag turned out to be wrong
        f"{CLIP}.wav\t0.917\t2.029\tTrain horn\n{CLIP}.wav\t0\t10\tCar\nother.wav\t0\t0\tCar\n",
        # DESED
        "filename\tonset\toffset\tevent_label\n"
        f"{CLIP}.wav\t0.917\t2.029\tTrain horn\n{CLIP}.wav\t0\t10\tCar\nother.wav\t\t\t\n",
        f"file,tags,onset,offset\n{CLIP},Train horn,0.917,2.029\n{CLIP},Car,0,10\n",
    ],
)
def test_labels_of_regions(tmp_path, text):
    found = labels(tmp_path, text)
    assert [(segment, label) for segment, _, label in found.itertracks(yield_label=True)] == [
        (Segment(0, 10), "Car"),
        (Segment(0.917, 2.029), "Train horn"),
    ]
    assert not labels(tmp_path, text, uri="other")
    assert found.uri == CLIP


def test_a_byte_order_mark_is_no_part_of_a_table(tmp_path):
    assert labels(tmp_path, "\ufefffile,tags\na.wav,Car\n", uri="a") == ["Car"]


def test_several_tags_of_a_region(tmp_path):
    found = labels(tmp_path, 'file,onset,offset,tags\na,0,10,"Car,Bus"\n', uri="a")
    assert found.get_labels(Segment(0, 10)) == {"Car", "Bus"}


@pytest.mark.parametrize(
    "text", ["meeting_001,0.0,1.5,Speech\n", "meeting_004,0.0,1.5,Speech\nmeeting_004,2.0,3.0,Music\n"]
)
def test_files_whose_names_are_as_long_as_ids_keep_their_regions(tmp_path, text):
    found = labels(tmp_path, text, uri=text[:11])
    assert found.get_labels(Segment(0.0, 1.5)) == {"Speech"}


def test_a_file_without_any_tag(tmp_path):
    assert labels(tmp_path, "file,tags\na,\nb,Car\n", uri="a") == []


def test_empty_table(tmp_path):
    assert labels(tmp_path, "") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,speaker\na,Car\n", "needs a column of files .* got file, speaker"),
        ("file,onset,tags\na,1,Car\n", "both or neither of onset and offset"),
        ("a,one,two,Car\n", r"cannot understand the line \['a', 'one', 'two', 'Car'\]"),
        ("a\n", "needs columns file, tags .* got .'a'."),
        ("a.wav,Speech\nb.wav,Speech,Music\n", r"the line \['b.wav', 'Speech', 'Music'\] has more cells"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        labels(tmp_path, text)


def test_database_yml(tmp_path, monkeypatch):
    """Weak labels, strong labels and voice types from RTTM files, declared as data."""
    for suffix in (".csv", ".tsv"):
        entry = EntryPoint(suffix, "pyannote_pix2seq.weak_labels:LabelTable", "pyannote.database.loader")
        monkeypatch.setitem(custom.LOADERS, suffix, entry)
    for uri in ("clip", "day"):
        soundfile.write(tmp_path / f"{uri}.wav", [0.0] * 160_000, 16000)
        (tmp_path / f"{uri}.lst").write_text(f"{uri}\n")
    (tmp_path / "weak.csv").write_text("clip,Car\n")
    (tmp_path / "strong.tsv").write_text("filename\tonset\toffset\tevent_label\nclip.wav\t1\t2\tCar\n")
    kinds = ("KCHI", "CHI", "MAL", "FEM")
    rttm = [f"SPEAKER day 1 {i}.5 1.0 <NA> <NA> {kind} <NA> <NA>\n" for i, kind in enumerate(kinds)]
    (tmp_path / "day.rttm").write_text("".join(rttm))
    (tmp_path / "database.yml").write_text(
        f"""
Databases:
  Weak: {tmp_path}/{{uri}}.wav
  Voices: {tmp_path}/{{uri}}.wav
Protocols:
  Weak:
    Segmentation:
      Tags:
        classes: [Car, Bus]
        train: {{uri: clip.lst, tags: weak.csv}}
        development: {{uri: clip.lst, annotation: strong.tsv}}
  Voices:
    SpeakerDiarization:
      Types:
        scope: global
        classes: [KCHI, CHI, MAL, FEM]
        train: {{uri: day.lst, annotation: day.rttm}}
"""
    )
    registry.load_database(tmp_path / "database.yml")
    weak = registry.get_protocol("Weak.Segmentation.Tags", preprocessors={"audio": FileFinder()})
    assert [(file["tags"], file["classes"]) for file in weak.train()] == [(["Car"], ["Car", "Bus"])]
    assert [file["annotation"].get_timeline()[0] for file in weak.development()] == [Segment(1, 2)]
    voices = registry.get_protocol("Voices.SpeakerDiarization.Types", preprocessors={"audio": FileFinder()})
    (day,) = voices.train()
    assert set(day["annotation"].labels()) == set(kinds)

    from pyannote_pix2seq.tasks.labels import read_labels

    table = read_labels(weak, None, has_validation=True)
    assert table["files"].tolist() == [(True, True), (False, False)]
    assert table["events"].tolist() == [(0, 0.0, 10.0, 0), (1, 1.0, 2.0, 0)]
