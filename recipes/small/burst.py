"""Training while a GPU is lent for some minutes.

Cores make windows, each once; while the next are not there, the GPU goes over those that it has. The learning rate
falls with the clock, because nobody knows beforehand how many steps fit.
"""

from __future__ import annotations

import os
import queue
import random
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import torch
import typer
from pyannote.database import registry
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from pyannote_pix2seq.cli.muon import Muon
from pyannote_pix2seq.cli.optimization import parameter_groups, rise_and_fall
from pyannote_pix2seq.cli.references import load_registries
from pyannote_pix2seq.files import replacing
from pyannote_pix2seq.mixtures import protocol as mixtures
from pyannote_pix2seq.models.checkpoints import open_model
from pyannote_pix2seq.models.pix2seq import Pix2Seq
from pyannote_pix2seq.tasks import SequenceDiarization
from pyannote_pix2seq.tasks.windows import Prompting

Batch = dict[str, Tensor]
HERE = Path(__file__).parent
SOUNDS = ("waveforms", "solos")  # of a batch
PASSES = 8  # over one batch, at most
LEAST, MOST = 6_400, 32_000  # windows to go over again: soon after it was seen, one teaches little; and memory (31 GB)
TILT = 6.0  # decibels, either way: how much louder a frequency is when a window comes again
BANDS = 9  # of 1 kHz
WARMUP = 100  # steps
FLOOR = 0.01  # of the learning rate
SHOWN = 100  # steps
SNAPSHOTS = (0.6, 0.75)  # of the time, in case that the end does not come
PEAK = 790e12  # operations a second of large matrices in bfloat16 on an H100 or H200


class Batches:
    """New batches on a device as they come, and old ones, as another microphone hears them, while none has."""

    def __init__(self, new: Iterator[Batch], device: torch.device) -> None:
        self.device = device
        self.queue: queue.Queue[Batch | Exception] = queue.Queue(maxsize=4)
        self.pool: list[tuple[Batch, int]] = []
        self.rng = random.Random(0)
        self.num_new = 0
        threading.Thread(target=self._fill, args=(new,), daemon=True).start()

    def _fill(self, new: Iterator[Batch]) -> None:
        try:
            for batch in new:
                self.queue.put({name: each.to(self.device, non_blocking=True) for name, each in batch.items()})
        except Exception as error:  # of a process that makes windows: whoever waits for them has to know
            self.queue.put(error)

    def __next__(self) -> Batch:
        try:
            came = self.queue.get(block=self.num_pooled < LEAST)
            if isinstance(came, Exception):
                raise came
            batch, passes = came, 1
            kept = {**batch, **{name: batch[name].half() for name in SOUNDS if name in batch}}
            self.num_new += 1
        except queue.Empty:
            index = self.rng.randrange(len(self.pool))
            self.pool[index], self.pool[-1] = self.pool[-1], self.pool[index]
            kept, passes = self.pool.pop()
            passes += 1
            batch = {**kept, **{name: tilted(kept[name].float()) for name in SOUNDS if name in kept}}
        if passes < PASSES and self.num_pooled < MOST:
            self.pool.append((kept, passes))
        return batch

    @property
    def num_pooled(self) -> int:
        """Number of windows to go over again."""
        return sum(len(batch["waveforms"]) for batch, _ in self.pool)


def tilted(waveforms: Tensor) -> Tensor:
    """(window, 1, sample) windows, each behind a filter of its own."""
    spectra = torch.fft.rfft(waveforms)
    decibels = torch.empty(len(waveforms), 1, BANDS, device=waveforms.device).uniform_(-TILT, TILT)
    gains = 10 ** (functional.interpolate(decibels, spectra.shape[-1], mode="linear", align_corners=True) / 20)
    return torch.fft.irfft(spectra * gains, waveforms.shape[-1])


def save(model: Pix2Seq, path: Path) -> None:
    """A checkpoint with matrices in half precision: what comes back from a machine that is lent has to be small."""
    weights = {k: w.half() if w.is_floating_point() and w.ndim > 1 else w for k, w in model.state_dict().items()}
    about = {
        "architecture": {"module": Pix2Seq.__module__, "class": Pix2Seq.__name__},
        "specifications": model.specifications,
        "versions": {"pyannote.audio": version("pyannote.audio")},
    }
    hyper_parameters = {name: value for name, value in model.hparams.items() if name != "task"}
    with replacing(path) as unfinished:
        torch.save(
            {
                "pyannote.audio": about,
                "pytorch-lightning_version": version("lightning"),
                "hyper_parameters": hyper_parameters,
                "state_dict": weights,
            },
            unfinished,
        )


def burst(
    start: Annotated[Path, typer.Argument(help="Checkpoint, or folder of a model, to go on from.")],
    out: Annotated[Path, typer.Argument(help="Folder for last.ckpt, and checkpoints on the way.")],
    seconds: Annotated[float, typer.Option(help="To the last step, once this program is loaded.")] = 560.0,
    lr: Annotated[float, typer.Option(help="Highest learning rate.")] = 8e-4,
    batch_size: Annotated[int, typer.Option(help="Windows in a batch.")] = 128,
    num_solos: Annotated[int, typer.Option(help="Solos beside each window.")] = 2,
    seed: Annotated[int, typer.Option(help="Of the windows: another one in each run.")] = 1000,
    database: Annotated[Path, typer.Option(help="What the windows are made of.")] = HERE / "database.yml",
    device: Annotated[str, typer.Option(help="Where to train.")] = "cuda",
) -> None:
    """Train for some time, from a checkpoint to a checkpoint."""
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(seed)
    load_registries([database])
    mixtures.register()
    on = torch.device(device)
    task = SequenceDiarization(
        registry.get_protocol("Pix2Seq.SpeakerDiarization.Small"), duration=30.0, batch_size=batch_size,
        num_workers=max((os.cpu_count() or 1) - 1, 1), pin_memory=on.type == "cuda", num_batches=10**6,
        prompting=Prompting(probability=0.5), speaker_weight=2.0, identity_weight=0.7, num_solos=num_solos, seed=seed,
    )  # fmt: skip
    model = open_model(start)
    model.task = task
    model.setup()
    loader = iter(task.train_dataloader())
    first = next(loader)  # processes that make windows start before there is anything on a GPU
    model = model.to(on, memory_format=torch.channels_last).train()
    optimizer = Muon(parameter_groups(model), lr=lr)
    highest = [group["lr"] for group in optimizer.param_groups]
    batches = Batches(loader, on)

    def learn(batch: Batch, rate: float) -> Batch:
        for group, full in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = full * rate
        with torch.autocast(on.type, torch.bfloat16):
            losses = task.losses(batch)
        optimizer.zero_grad()
        task.weighted(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return {name: value.detach() for name, value in losses.items()}

    with FlopCounterMode(display=False) as counter:
        learn({name: each.to(on) for name, each in first.items()}, rate=0.0)
    operations, ready = counter.get_total_flops(), time.monotonic()
    tell(f"{operations / 1e12:.2f} TFLOP a step, {task.specifications.num_voices} voices")
    step, snapshots, shown = 0, list(SNAPSHOTS), (ready, 0)
    left = seconds - (ready - began)
    if left <= 0:
        raise typer.BadParameter(f"--seconds {seconds:g} is too few: the first step came after {ready - began:.0f} s.")
    sums: Batch = {}
    while (past := (time.monotonic() - ready) / left) < 1:
        for name, value in learn(next(batches), rise_and_fall(step, past, WARMUP, FLOOR)).items():
            sums[name] = sums.get(name, 0) + value
        step += 1
        if snapshots and past > snapshots[0]:
            save(model, out / f"at{snapshots.pop(0):.2f}.ckpt")
        if step % SHOWN == 0:
            now, (before, had) = time.monotonic(), shown
            means = "  ".join(f"{name} {value.item() / SHOWN:.3f}" for name, value in sums.items())
            new = (batches.num_new - had) * batch_size / (now - before)
            tell(f"step {step}, {SHOWN / (now - before):.1f} a second, {new:.0f} new windows a second: {means}")
            sums, shown = {}, (now, batches.num_new)
    save(model, out / "last.ckpt")
    took, heard = time.monotonic() - ready, batches.num_new * batch_size * task.duration
    tell(
        f"{step} steps of {batch_size} windows in {took:.0f} s, {step / took:.2f} a second; {heard / 3600:.0f} h of "
        f"windows, {heard / took:.0f} times as fast as they play, {step / max(batches.num_new, 1):.2f} passes; "
        f"{operations * step / took / PEAK:.1%} of the chip's peak; "
        f"{torch.cuda.max_memory_reserved() / 2**30 if on.type == 'cuda' else 0:.0f} GiB of its memory"
    )
    os._exit(0)  # without waiting for processes that make windows


if __name__ == "__main__":
    typer.run(burst)
