"""Every corpus is read as it is distributed: tiny copies of their layouts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pyannote_pix2seq.mixtures.sources import SOURCES, Utterance, source


def audio(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.suffix[1:].upper()
    if kind in ("WAV", "FLAC", "MP3"):
        soundfile.write(path, np.zeros(160), 16000, format=kind)
    else:
        path.touch()
    return path


def text(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def fields(utterances: object, *names: str) -> list[tuple[object, ...]]:
    return [tuple(getattr(utterance, name) for name in names) for utterance in utterances]  # type: ignore[attr-defined]


def test_folder(tmp_path):
    for name in ("bob/b.wav", "bob/a.flac", "alice/day 1/x.mp3", "alice/notes.txt", "alice/._x.wav", "stray.wav"):
        audio(tmp_path / name)
    assert list(source("folder", root=tmp_path)) == [
        Utterance("alice", tmp_path / "alice/day 1/x.mp3", source="folder"),
        Utterance("bob", tmp_path / "bob/a.flac", source="folder"),
        Utterance("bob", tmp_path / "bob/b.wav", source="folder"),
    ]


HEADER = "path,source,speaker,seconds,language,sex,split,extra"


def test_manifest(tmp_path):
    path = text(
        tmp_path / "manifest.csv",
        HEADER,
        "fsdd/7/00.opus,fsdd,7,10.2,en,m,train,age=30;copy=x",
        "dsp/7/00.opus,dsp,7,9.1,zh/en,f,test,",
        "dsp/8/00.opus,dsp,8,9.1,zh/en,,,",
    )
    assert list(source("manifest", path=path)) == [
        Utterance("fsdd/7", tmp_path / "fsdd/7/00.opus", sex="male", age="30", source="fsdd", split="train"),
        Utterance("dsp/7", tmp_path / "dsp/7/00.opus", sex="female", source="dsp", split="test"),
        Utterance("dsp/8", tmp_path / "dsp/8/00.opus", source="dsp"),
    ]
    assert fields(source("manifest", path=path, split="test"), "speaker") == [("dsp/7",)]


def test_a_folder_of_manifests(tmp_path):
    for part, speaker in (("a", "ann"), ("b", "bob")):
        text(tmp_path / part / "manifest.csv", "path,speaker", f"{speaker}.wav,{speaker}")
    assert [(u.speaker, u.path) for u in source("manifest", path=tmp_path)] == [
        ("ann", tmp_path / "a" / "ann.wav"),
        ("bob", tmp_path / "b" / "bob.wav"),
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no manifest\.csv"):
        source("manifest", path=tmp_path / "empty")


@pytest.mark.parametrize("mark", ["", "\ufeff"])  # spreadsheets put a byte order mark in front
def test_manifest_needs_only_path_and_speaker(tmp_path, mark):
    path = text(tmp_path / "table.csv", mark + "speaker,path", "ann,a.wav")
    assert list(source("manifest", path=path)) == [Utterance("ann", tmp_path / "a.wav", source="manifest")]


@pytest.mark.parametrize(
    ("rows", "split", "message"),
    [
        (["path,name"], None, "no column speaker; it has: path, name"),
        (["path,speaker", "a.wav,ann"], "test", "no column split"),
        ([HEADER], "dev", "unknown split 'dev'; known splits: train, development, test"),
        ([HEADER, "a.wav,x,ann,1,en,f,dev,"], None, "line 2: unknown split 'dev'"),
        (["path,speaker", "a.wav,ann", "b.wav, "], None, "line 3: the speaker is missing"),
    ],
)
def test_manifest_errors(tmp_path, rows, split, message):
    path = text(tmp_path / "manifest.csv", *rows)
    with pytest.raises(ValueError, match=message):
        list(source("manifest", path=path, split=split))


@pytest.mark.parametrize(
    ("name", "root", "table", "rows"),
    [
        ("manifest", "path", "manifest.csv", "path,speaker\na.wav,José\n"),
        ("commonvoice", "root", "validated.tsv", "client_id\tpath\nJosé\ta.mp3\n"),
    ],
)
def test_a_table_in_another_encoding_is_named(tmp_path, name, root, table, rows):
    (tmp_path / "clips").mkdir()
    (tmp_path / table).write_text(rows, encoding="latin-1")
    with pytest.raises(ValueError, match=rf"{table}' is not in UTF-8 .*save it as such"):
        list(source(name, **{root: tmp_path}))


SPEAKERS = (
    ";ID  |SEX| SUBSET           |MINUTES| NAME",
    "14   | F | train-clean-360  | 25.03 | A B",
    "1089 | M | test | 8 | C",
)


def test_librispeech(tmp_path):
    root = tmp_path / "LibriSpeech"
    text(root / "SPEAKERS.TXT", *SPEAKERS)
    text(root / "train-clean-360/14/208/14-208.trans.txt", "14-208-0000 A")
    train = audio(root / "train-clean-360/14/208/14-208-0000.flac")
    test = audio(root / "test-clean/1089/134686/1089-134686-0000.flac")
    text(root / "dev-clean.tar.gz", "beside what it unpacks to")
    expected = [("1089", test, "male", ""), ("14", train, "female", "")]
    assert fields(source("librispeech", root=root), "speaker", "path", "sex", "split") == expected
    assert fields(source("librispeech", root=tmp_path), "speaker", "path", "sex", "split") == expected


def test_librispeech_with_all_its_subsets_keeps_them(tmp_path):
    for i, subset in enumerate(("train-other-500", "dev-other", "dev-clean", "test-other")):
        audio(tmp_path / f"{subset}/{i}/1/{i}-1-0000.flac")
    assert sorted(fields(source("librispeech", root=tmp_path), "speaker", "split")) == [
        ("0", "train"),
        ("1", "development"),
        ("2", "development"),
        ("3", "test"),
    ]


@pytest.mark.parametrize("name", ["LibriTTS", "LibriTTS_R"])
def test_libritts(tmp_path, name):
    root = tmp_path / name
    text(root / "SPEAKERS.txt", *SPEAKERS)
    path = audio(root / "train-clean-100/14/208/14_208_000001_000000.wav")
    text(path.with_suffix(".normalized.txt"), "A")
    assert list(source("libritts", root=tmp_path)) == [Utterance("14", path, sex="female", source="libritts")]


def test_librilight_cuts_chapters_by_their_voice_activity(tmp_path):
    path = audio(tmp_path / "small/100/sea_fairies_0812_librivox_64kb_mp3/01_baum_sea_fairies_64kb.flac")
    text(path.with_suffix(".json"), json.dumps({"speaker": "100", "voice_activity": [[0.4, 9.8], [10.5, 20.0]]}))
    whole = audio(tmp_path / "small/2/book/01.flac")
    expected = [("100", path, 0.4, 9.8), ("100", path, 10.5, 20.0), ("2", whole, None, None)]
    for root in (tmp_path, tmp_path / "small"):
        assert fields(source("librilight", root=root), "speaker", "path", "start", "end") == expected


def test_vctk(tmp_path):
    text(
        tmp_path / "speaker-info.txt",
        "ID  AGE  GENDER  ACCENTS  REGION COMMENTS",
        "p225  23  F    English    Southern  England",
        "s5 32 M British",
    )
    first, second = (audio(tmp_path / f"wav48_silence_trimmed/{n}_001_mic1.flac") for n in ("p225/p225", "s5/s5"))
    audio(tmp_path / "wav48_silence_trimmed/p225/p225_001_mic2.flac")
    assert list(source("vctk", root=tmp_path)) == [
        Utterance("p225", first, sex="female", age="23", source="vctk"),
        Utterance("s5", second, sex="male", age="32", source="vctk"),
    ]


def test_vctk_first_release(tmp_path):
    text(tmp_path / "speaker-info.txt", "ID  AGE  GENDER  ACCENTS  REGION", "226  22  M    English    Surrey")
    path = audio(tmp_path / "wav48/p226/p226_001.wav")
    assert list(source("vctk", root=tmp_path)) == [Utterance("p226", path, sex="male", age="22", source="vctk")]


def test_voxceleb(tmp_path):
    text(
        tmp_path / "vox1_meta.csv",
        "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet",
        "id10001\tA_B\tm\tIreland\tdev",
    )
    text(tmp_path / "vox2_meta.csv", "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set ", "id00012 ,n000012 ,f ,dev ")
    one = audio(tmp_path / "wav/id10001/1zcIwhmdeo4/00001.wav")
    two = audio(tmp_path / "dev/aac/id00012/21Uxsk56VDQ/00001.flac")
    audio(two.with_suffix(".m4a"))
    audio(tmp_path / "other/file.wav")
    assert list(source("voxceleb", root=tmp_path)) == [
        Utterance("id00012", two, sex="female", source="voxceleb"),
        Utterance("id10001", one, sex="male", source="voxceleb"),
    ]
    assert fields(source("voxceleb", root=tmp_path / "wav"), "speaker", "sex") == [("id10001", "male")]
    two.unlink()  # only FFmpeg decodes the other
    with pytest.warns(UserWarning, match=r"1 files are AAC and skipped; convert it with FFmpeg first: find .*\.flac"):
        assert fields(source("voxceleb", root=tmp_path), "speaker") == [("id10001",)]
    with pytest.raises(ValueError, match="holds AAC only; convert it with FFmpeg first: find"):
        source("voxceleb", root=tmp_path / "dev")


COLUMNS = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment"


def test_commonvoice(tmp_path):
    text(
        tmp_path / "en/validated.tsv",
        COLUMNS,
        'ab12\tcommon_voice_en_1.mp3\tA lone " mark.\t2\t0\ttwenties\tfemale_feminine\t\ten\t',
        "cd34\tcommon_voice_en_2\tNo ending.\t2\t0\t\t\t\ten\t",
    )
    text(tmp_path / "de/validated.tsv", COLUMNS, "ef56\tcommon_voice_de_1.mp3\tEins.\t2\t0\tteens\tmale\t\tde\t")
    first, second, german = (audio(tmp_path / f"{n[:2]}/clips/common_voice_{n}.mp3") for n in ("en_1", "en_2", "de_1"))
    english = [
        Utterance("ab12", first, sex="female", age="twenties", source="commonvoice"),
        Utterance("cd34", second, source="commonvoice"),
    ]
    assert list(source("commonvoice", root=tmp_path / "en")) == english
    assert list(source("commonvoice", root=tmp_path)) == [
        Utterance("ef56", german, sex="male", age="teens", source="commonvoice"),
        *english,
    ]


def test_commonvoice_without_a_speaker(tmp_path):
    text(tmp_path / "validated.tsv", COLUMNS, "\tcommon_voice_en_1.mp3\tA.\t2\t0\t\t\t\ten\t")
    audio(tmp_path / "clips/common_voice_en_1.mp3")
    with pytest.raises(ValueError, match=r"validated\.tsv', line 2: no client_id"):
        list(source("commonvoice", root=tmp_path))


def kaldi(folder: Path, scp: str, *segments: str) -> Path:
    text(folder / "wav.scp", scp)
    text(folder / "utt2spk", "ann-1 ann", "ann-2 ann") if segments else text(folder / "utt2spk", "rec ann")
    text(folder / "spk2gender", "ann f")
    if segments:
        text(folder / "segments", *segments)
    return folder


def test_kaldi(tmp_path):
    path = audio(tmp_path / "my audio/rec.wav")
    whole = kaldi(tmp_path / "whole", f"rec {path}")
    assert list(source("kaldi", root=whole)) == [Utterance("ann", path, sex="female", source="kaldi")]
    cut = kaldi(tmp_path / "cut", f"rec {path}", "ann-1 rec 0.5 1.25", "ann-2 rec 2 -1")
    assert fields(source("kaldi", root=cut), "speaker", "start", "end") == [("ann", 0.5, 1.25), ("ann", 2.0, None)]


def test_kaldi_paths_may_be_relative_to_its_folder(tmp_path):
    folder = kaldi(tmp_path / "data", "rec ../rec.wav")
    audio(tmp_path / "rec.wav")
    (utterance,) = source("kaldi", root=folder)
    assert utterance.path.exists()


@pytest.mark.parametrize(
    ("scp", "segments", "message"),
    [
        ("rec sph2pipe -f wav rec.sph |", [], "'rec' .* is a command .*commands are not run"),
        ("rec | cat", [], "is a command"),
        ("rec raw.ark:45", [], "in an archive"),
        ("rec", [], "expected <recording> <path>"),
        ("other a.wav", [], "utterance 'rec' needs 'rec'"),
        ("rec a.wav", ["ann-1 rec 0.5"], "segments', line 1: expected 4 words"),
    ],
)
def test_kaldi_errors(tmp_path, scp, segments, message):
    with pytest.raises(ValueError, match=message):
        source("kaldi", root=kaldi(tmp_path, scp, *segments))


def test_kaldi_tables_in_another_encoding_are_named(tmp_path):
    folder = kaldi(tmp_path, "rec a.wav")
    (folder / "utt2spk").write_bytes("rec Zoë".encode("latin-1"))
    with pytest.raises(ValueError, match=r"utt2spk' is not in UTF-8"):
        source("kaldi", root=folder)


ROOTED = sorted(set(SOURCES) - {"manifest", "protocol", "espeak"})


@pytest.mark.parametrize("name", ROOTED)
def test_missing_folder_file_and_empty_folder(tmp_path, name):
    assert ROOTED
    with pytest.raises(FileNotFoundError, match="there is no folder '.*nowhere'"):
        source(name, root=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="is a file; expected a folder"):
        source(name, root=text(tmp_path / "notes.txt", "hello"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match=r"empty.*(expected|<language>|utt2spk)|expected.*empty"):
        source(name, root=empty)


def test_missing_manifest(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*manifest\.csv'"):
        source("manifest", path=tmp_path / "manifest.csv")


def test_table():
    assert set(SOURCES) == {*ROOTED, "manifest", "protocol", "espeak"}
    with pytest.raises(
        ValueError, match=r"unknown source 'librspeech'; known sources: commonvoice, espeak, .*voxceleb"
    ):
        source("librspeech")
    with pytest.raises(ValueError, match="source 'vctk' has no parameter 'rooot'; its parameters: root"):
        source("vctk", rooot="x")
    with pytest.raises(ValueError, match="source 'manifest' needs the parameter 'path'; its parameters: path, split"):
        source("manifest")
