"""Freezing in several processes."""

from pyannote.database import registry

from pyannote_pix2seq.mixtures.definition import Definition
from pyannote_pix2seq.mixtures.frozen import freeze
from pyannote_pix2seq.mixtures.protocol import MixtureProtocol


def test_workers_know_the_protocols_that_were_loaded(corpus, tmp_path, monkeypatch):
    uris = [f"s{i}-{u}" for i in range(0, 12, 3) for u in range(3)]
    turns = [f"SPEAKER {uri} 1 0 1.5 <NA> <NA> {uri[:2]} <NA> <NA>" for uri in uris]
    (tmp_path / "solo.lst").write_text("\n".join(uris))
    (tmp_path / "solo.rttm").write_text("\n".join(turns))
    (tmp_path / "solo.uem").write_text("\n".join(f"{uri} 1 0 1.5" for uri in uris))
    (tmp_path / "database.yml").write_text(
        f"Databases: {{Tones: '{corpus.parent}/{{uri}}.wav'}}\n"
        "Protocols: {Tones: {SpeakerDiarization: {Solo: {scope: database, train: "
        "{uri: solo.lst, annotation: solo.rttm, annotated: solo.uem}}}}}\n"
    )
    for name in ("databases", "sources", "configs"):
        monkeypatch.setattr(registry, name, dict(getattr(registry, name)))
    registry.load_database(tmp_path / "database.yml")
    data = {
        "source": {"name": "protocol", "protocol": "Tones.SpeakerDiarization.Solo"},
        "effects": ["level"],
        "files": {"train": 2},
        "duration": 4.0,
    }
    protocol = MixtureProtocol(Definition.read("Borrowed", data))
    frozen = list(freeze(protocol, tmp_path / "set", "wav", num_workers=2))
    assert frozen == [mixture.uri for mixture in protocol.mixtures("train")] and len(frozen) == 2
