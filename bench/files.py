"""Whole files: our pipeline beside pyannote's 3.1 architecture, and an hour beside ten minutes.

The peer's weights are gated, so its architecture runs with random ones. Its time depends on them in one way: where
nobody talks at all it computes no embeddings, so somebody always talks.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch
from pyannote.audio import Model, Pipeline
from pyannote.audio.core.plda import PLDA
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.pipelines import SpeakerDiarization

from pyannote_pix2seq import pretrained
from pyannote_pix2seq.audio import open_audio

from .table import CALL, seconds, show

PEER_SECONDS = 60  # the peer needs longer than real time: a minute of it is enough


def call(duration: int) -> dict:
    """The bundled 30 s telephone call, again and again."""
    samples = open_audio(CALL).read()
    return {
        "waveform": torch.from_numpy(np.resize(samples, duration * 16000))[None],
        "sample_rate": 16000,
        "uri": "call",
    }


def peer() -> Pipeline:
    """The architecture and the batches of pyannote/speaker-diarization-3.1, untrained."""
    torch.manual_seed(0)
    segmentation: Model = PyanNet(sincnet={"stride": 10}, lstm={"num_layers": 4})
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    segmentation.build()
    with torch.no_grad():
        segmentation.classifier.bias[1] += 10.0  # of all sets of speakers, that of the first one alone
    embedding = WeSpeakerResNet34()
    embedding.specifications = Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0)
    pipeline = SpeakerDiarization(
        segmentation=segmentation.eval(), embedding=embedding.eval(), clustering="AgglomerativeClustering",
        embedding_exclude_overlap=True, segmentation_batch_size=32, embedding_batch_size=32,
        plda=PLDA.__new__(PLDA),  # 3.1 has none, and the default would be downloaded
    )  # fmt: skip
    return pipeline.instantiate(
        {
            "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7},
            "segmentation": {"min_duration_off": 0.0},
        }
    )


def memory(duration: int) -> tuple[float, float]:
    """Seconds and peak megabytes of a process of its own that diarizes `duration` seconds."""
    code = (
        "import resource, time, warnings; warnings.filterwarnings('ignore')\n"
        "from pyannote.audio import Pipeline; from pyannote_pix2seq import pretrained\n"
        "from bench.files import call, written\n"
        "import pathlib, tempfile\n"
        "pipeline = Pipeline.from_pretrained(pretrained()); pipeline(call(30))\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        f"    path = written(pathlib.Path(folder), {duration})\n"
        "    start = time.perf_counter(); pipeline(path)\n"
        "    print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    took, peak = output.split()[-2:]
    return float(took), float(peak)


def written(folder, duration: int):
    """The call as a WAV file, written block by block."""
    import soundfile

    path = folder / "call.wav"
    samples = open_audio(CALL).read()
    with soundfile.SoundFile(path, "w", 16000, 1) as file:
        for _ in range(duration // 30):
            file.write(samples[: 30 * 16000])
    return path


def main() -> None:
    torch.set_num_threads(2)
    ours = Pipeline.from_pretrained(pretrained())
    mine = seconds(lambda: ours(call(600)), repeat=1) / 600
    theirs = peer()
    other = seconds(lambda: theirs(call(PEER_SECONDS)), repeat=1) / PEER_SECONDS
    show(
        "real-time factor on the CPU, 2 threads",
        [
            ("pyannote-pix2seq, 10 min", f"{mine:.4f}", f"{other / mine:.0f} x"),
            (f"pyannote 3.1 architecture, {PEER_SECONDS} s", f"{other:.3f}", "1 x"),
        ],
        ("pipeline", "real-time factor", "speed"),
    )
    rows = []
    for name, duration in (("10 min", 600), ("1 h", 3600)):
        took, peak = memory(duration)
        rows.append((name, f"{1000 * took / duration:.2f} ms", f"{peak:.0f} MB"))
    show("long files", rows, ("file", "time per second of audio", "peak memory"))
