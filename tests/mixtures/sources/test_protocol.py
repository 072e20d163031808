"""Single-speaker regions of a protocol."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment
from pyannote.database import registry

from pyannote_pix2seq.mixtures.sources import source
from pyannote_pix2seq.mixtures.sources.protocol import single_speaker_regions

SCOPES = {"Single": "file", "Shared": "global"}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """A database whose protocols have a train and a test subset, and no development."""
    soundfile.write(tmp_path / "talk.wav", np.zeros(16000), 16000)
    rttm = ("0 4 ann", "3 3 bob", "7 0.2 bob", "8 4 bob")
    lines = [f"SPEAKER talk 1 {a} {b} <NA> <NA> {c} <NA> <NA>" for a, b, c in map(str.split, rttm)]
    (tmp_path / "talk.rttm").write_text("\n".join(lines))
    (tmp_path / "talk.uem").write_text("talk 1 0 10")
    (tmp_path / "talk.lst").write_text("talk")
    subset = "{uri: talk.lst, annotation: talk.rttm, annotated: talk.uem}"
    protocols = "\n".join(
        f"      {name}:\n        scope: {scope}\n        train: {subset}\n        test: {subset}"
        for name, scope in SCOPES.items()
    )
    (tmp_path / "database.yml").write_text(
        f"Databases:\n  Tiny: ./{{uri}}.wav\nProtocols:\n  Tiny:\n    SpeakerDiarization:\n{protocols}\n"
    )
    for name in ("databases", "sources", "configs"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    registry.load_database(tmp_path / "database.yml")
    return tmp_path


@pytest.mark.parametrize(("name", "prefix"), [("Single", "talk/"), ("Shared", "")])
def test_protocol(corpus, name, prefix):
    found = [
        (u.speaker, u.path.name, u.start, u.end, u.split, u.source)
        for u in source("protocol", protocol=f"Tiny.SpeakerDiarization.{name}")
    ]
    regions = [("ann", 0, 3), ("bob", 4, 6), ("bob", 8, 10)]  # no overlap, nothing under 0.5 s, nothing unannotated
    assert found == [
        (prefix + speaker, "talk.wav", start, end, subset, f"Tiny.SpeakerDiarization.{name}")
        for subset in ("train", "test")
        for speaker, start, end in regions
    ]


def test_one_subset(corpus):
    (subset,) = {u.split for u in source("protocol", protocol="Tiny.SpeakerDiarization.Shared", subset="test")}
    assert subset == "test"
    with pytest.raises(ValueError, match=r"Tiny\.SpeakerDiarization\.Shared has no development subset"):
        list(source("protocol", protocol="Tiny.SpeakerDiarization.Shared", subset="development"))


def test_errors(corpus):
    with pytest.raises(ValueError, match=r"unknown protocol 'Tiny\.Nothing'; known protocols: .*Tiny.Speaker"):
        source("protocol", protocol="Tiny.Nothing")
    with pytest.raises(ValueError, match="unknown subset 'dev'"):
        source("protocol", protocol="Tiny.SpeakerDiarization.Single", subset="dev")


segments = st.tuples(st.integers(0, 40), st.integers(1, 10), st.sampled_from("abc"))


@given(st.lists(segments, max_size=12))
def test_regions_are_where_exactly_one_label_is_active(turns):
    annotation = Annotation()
    active: list[set[str]] = [set() for _ in range(50)]
    for track, (start, duration, label) in enumerate(turns):
        annotation[Segment(start, start + duration), track] = label
        for second in range(start, start + duration):
            active[second].add(label)
    regions = single_speaker_regions(annotation)
    found: list[set[str]] = [set() for _ in range(50)]
    for start, end, label in regions:
        assert start < end
        for second in range(int(start), int(end)):
            assert not found[second]
            found[second].add(label)
    assert found == [labels if len(labels) == 1 else set() for labels in active]
    assert not any(a[1] == b[0] and a[2] == b[2] for a, b in pairwise(regions))  # longest possible


def test_where_the_audio_is_must_be_said(corpus):
    del registry.sources["Tiny"]
    with pytest.raises(ValueError, match="nothing says where the audio of Tiny is"):
        list(source("protocol", protocol="Tiny.SpeakerDiarization.Single"))
