"""The smallest things that can be trained: a model, mixtures of noise, and a protocol of recordings."""

import numpy as np
import soundfile
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.protocol import SpeakerDiarizationProtocol

from pyannote_pix2seq.mixtures.bank import Bank
from pyannote_pix2seq.mixtures.simulator import Simulator
from pyannote_pix2seq.mixtures.styles import Conversation
from pyannote_pix2seq.models import Pix2Seq

TINY = {
    "duration": 4.0,
    "num_steps": 200,
    "num_speakers": 4,
    "max_turns": 8,
    "dimension": 16,
    "num_heads": 2,
    "num_layers": 2,
    "voice_layer": 1,
    "frame_layer": 1,
    "stem_channels": (4, 4, 4),
    "dropout": 0.0,
}


def tiny(task=None, **changed):
    return Pix2Seq(task=task, **{**TINY, **changed})


def simulator(num_speakers=3, seed=0):
    """Speakers are bursts of differently coloured noise."""
    rng = np.random.default_rng(seed)
    length = 48000
    samples = (rng.standard_normal(num_speakers * length) * 3000).astype(np.int16)
    table = [(i * length, length, [(800, 20000), (24000, 47000)]) for i in range(num_speakers)]
    fields = {
        "samples": samples,
        "speakers": [f"s{i}" for i in range(num_speakers)],
        "utterances": table,
        "by_speaker": [[i] for i in range(num_speakers)],
        "groups": [list(range(num_speakers))],
    }
    known = Bank.__dataclass_fields__
    if "sexes" in known:
        fields["sexes"] = [""] * num_speakers
    if "key" in known:
        fields["key"] = "miniature"
    return Simulator(Bank(**fields), Conversation(num_speakers=(0.1, 0.3, 0.6), speeds=(1.0,)))


class Mixtures(SpeakerDiarizationProtocol):
    """Has mixtures without end, and no file that anybody should read."""

    name = "Miniature.SpeakerDiarization.Mixtures"

    def simulator(self, subset):
        return simulator(seed=len(subset))

    def train_iter(self):
        file = {"uri": "none", "database": "Miniature", "audio": "none", "scope": "file"}
        yield {**file, "annotated": Timeline([Segment(0, 1)]), "annotation": Annotation("none")}

    development_iter = train_iter


class Recordings(SpeakerDiarizationProtocol):
    """Two recordings in each subset, of 20 s and of 2 s (shorter than a window)."""

    name = "Miniature.SpeakerDiarization.Recordings"

    def __init__(self, folder, annotated=True, silent=False):
        super().__init__()
        self.folder, self.annotated_files, self.silent = folder, annotated, silent
        rng = np.random.default_rng(0)
        for uri, seconds in (("long", 20), ("short", 2)):
            soundfile.write(folder / f"{uri}.wav", 0.1 * rng.standard_normal(seconds * 8000), 8000)

    def train_iter(self):
        for uri, seconds in (("long", 20), ("short", 2)):
            file = {"uri": uri, "database": "Miniature", "audio": str(self.folder / f"{uri}.wav"), "scope": "database"}
            file["annotated"] = Timeline([Segment(0, seconds)])
            if self.annotated_files:
                file["annotation"] = annotation = Annotation(uri=uri)
                for start in range(0, 0 if self.silent else seconds, 2):
                    annotation[Segment(start, min(start + 2.5, seconds))] = "AB"[start // 2 % 2]
            yield file

    development_iter = train_iter
