"""`PromptedSpeakerDiarization`: who spoke when, chunk by chunk, with the voices met so far as prompts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
from pyannote.metrics.diarization import DiarizationErrorRate
from pyannote.pipeline.parameter import Uniform

from ..audio import SAMPLE_RATE, Recording, Source, mixed, open_audio, rechunk, resample, whole_rate
from ..decoding.audible import Audible
from ..decoding.search import Weighed
from ..diarization import Diarization
from ..models.checkpoints import open_model
from ..prompts import SpeakerMemory, prompt
from .chunking import Buffer
from .confidence import Calibration
from .enrolment import enrol
from .fold import STEPS, Settings, speaker_bounds
from .freezing import Freezing
from .inputs import OPTIONS, bounds_of, check_options, options_of, prepared, tracked
from .job import Failed, Job, advance


class PromptedSpeakerDiarization(Freezing):
    """Speaker diarization by a sequence model.

    A file is read in chunks. In front of each, the model hears a few seconds of the speakers met so far, so that
    labels persist from chunk to chunk, and from file to file when `memory` is handed on.

    Parameters
    ----------
    model : Model, str, Path or mapping
        A `Pix2Seq`, or what `Model.from_pretrained` takes.
    chunk_duration : float, optional
        Longest chunk, in seconds. By default, whatever the prompts leave of the model's window.
    step : float
        From the start of a chunk to that of the next one, as a ratio of the chunk; what a chunk has behind it is
        context only.
    batch_size : int
        Number of files that are decoded together when a list of files is given.
    beam : int
        Number of sequences kept while a chunk is decoded, which differ in who speaks.
    readings : int
        How often a file is read: after the first time with everybody known from the start (where not all can be
        prompted together, those who talk most), every second time in chunks that overlap. After each, turns are named
        once more by all voices together (`regrouping.regroup`); the result is what most readings agree on
        (`voting.vote`). Streams, and files in which nobody is heard, are read once and keep their first names.
    calibration : mapping, optional
        Parameters of `Calibration`: what `pyannote-pix2seq calibrate` found for this model.
    token, cache_dir
        See `Model.from_pretrained`.

    Hyper-parameters
    ----------------
    min_duration_on : float
        Shorter turns are not written, in seconds; nor those under 0.1 s that the vote of several readings makes.
    min_duration_off : float
        Shorter gaps within the speech of one speaker are filled, in seconds, as are those of the vote under 0.1 s.
    prompt_duration : float
        Longest prompt of one voice, in seconds.
    speech : float
        Least probability of speech, by the frame head, inside of turns.
    faint : float
        Turns are not written that lie further below the mean level of their speaker's turns in a chunk, in decibels.
    voices : float
        How much voices count against names when turns are named once more; at 0 names stay.
    newcomer : float
        Added to the log-probability that a turn is by a speaker not heard before: below 0, fewer speakers are found,
        except in files of one window that are read again: each chunk more is one more to take somebody for new.

    Usage
    -----
    >>> diarization = Pipeline.from_pretrained(pyannote_pix2seq.pretrained())("call.wav", num_speakers=2)
    """

    def __init__(
        self,
        model: Any = None,
        chunk_duration: float | None = None,
        step: float = 1.0,
        batch_size: int = 32,
        beam: int = 2,
        readings: int = 3,
        calibration: Mapping[str, float] | None = None,
        token: str | bool | None = None,
        cache_dir: Path | str | None = None,
        **unknown: Any,
    ):
        super().__init__()
        if unknown:  # a key of config.yaml: Python's own TypeError would not list the known ones
            known = "model, chunk_duration, step, batch_size, beam, readings, calibration"
            raise ValueError(f"unknown parameter {', '.join(map(repr, unknown))}; known parameters: {known}.")
        if model is None:
            raise ValueError("this pipeline needs a model: a Pix2Seq, or what Model.from_pretrained takes.")
        if isinstance(model, (str, Path, Mapping)):
            model = open_model(model, token, cache_dir)
        if not hasattr(model, "read") or not hasattr(model, "write"):
            raise ValueError(f"this pipeline needs a Pix2Seq model; got {type(model).__name__}.")
        if not isinstance(step, int | float) or not 0 < step <= 1:
            raise ValueError(f"step is a ratio of the chunk, above 0 and at most 1; got {step!r}.")
        shortest = model.grid.resolution
        if chunk_duration is not None and not (isinstance(chunk_duration, int | float) and chunk_duration >= shortest):
            raise ValueError(f"chunk_duration must be at least {shortest} s; got {chunk_duration!r}.")
        for name, value in (("batch_size", batch_size), ("beam", beam), ("readings", readings)):
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1; got {value!r}.")
        self.model = model.eval()
        self.calibration = Calibration.read(calibration or {})
        self.chunk_duration, self.step = chunk_duration, step
        self.batch_size, self.beam, self.readings = batch_size, beam, readings
        self.min_duration_on = Uniform(0.0, 0.5)
        self.min_duration_off = Uniform(0.0, 1.0)
        self.prompt_duration = Uniform(1.0, 5.0)
        self.speech = Uniform(0.0, 1.0)
        self.faint = Uniform(10.0, 100.0)
        self.voices = Uniform(0.0, 6.0)
        self.newcomer = Uniform(-6.0, 2.0)
        self.instantiate(self.default_parameters())

    def default_parameters(self) -> dict[str, float]:
        durations = {"min_duration_on": 0.0, "min_duration_off": 0.0, "prompt_duration": 3.0}
        return {**durations, "speech": 0.5, "faint": 20.0, "voices": 1.2, "newcomer": 0.0}

    def classes(self) -> Iterator[str]:
        """SPEAKER_00, SPEAKER_01..."""
        return (f"SPEAKER_{number:02d}" for number in count())

    def get_metric(self) -> DiarizationErrorRate:
        """Diarization error rate: no collar, overlap scored."""
        return DiarizationErrorRate(collar=0.0, skip_overlap=False)

    def get_direction(self) -> str:
        return "minimize"

    # what upstream does around `apply`, except that it measures each file for its telemetry, which needs FFmpeg

    def prepare_one(self, file: Source, preload: bool = False) -> Mapping:
        """File as a mapping with its `uri`, and with the preprocessors of the pipeline if it has any."""
        return prepared(file, getattr(self, "preprocessors", None), preload)

    def __call__(self, file: Any, preload: bool = False, **options: Any) -> Any:
        """Diarize one file, or each of a list.

        Parameters
        ----------
        file : path, file object, mapping, or list of these
            See `audio.open_audio`.
        preload : bool
            Read the whole file before the first chunk; not those of a list.
        **options
            Those of `apply`, and `progress` for a list.

        Returns
        -------
        diarization : Diarization
            Or, for a list, an iterator of (file, diarization), in the order in which files are finished.

        Raises
        ------
        FileNotFoundError, ValueError
            If a file or an option is not usable; the message says which and why.
        """
        check_options(options, (*OPTIONS, "progress") if isinstance(file, list) else OPTIONS)
        if not isinstance(file, list):
            one = self.prepare_one(file, preload)
            return self.apply(one, **options_of(one, options))
        files = [self.prepare_one(f) for f in file]
        uris = [str(f["uri"]) for f in files]
        if twice := sorted({uri for uri in uris if uris.count(uri) > 1}):
            raise ValueError(f"files of one list need different URIs; more than one is called {', '.join(twice)}.")
        for f in files:
            self._settings(**bounds_of(f, options))  # complain now, not when the first result is asked for
        return self.apply_batch(files, **options)

    def apply(
        self,
        file: Source,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        speakers: Mapping[str, Source] | None = None,
        memory: SpeakerMemory | None = None,
        hook: Callable | None = None,
    ) -> Diarization:
        """Diarize one file.

        Parameters
        ----------
        file : path, file object or mapping
            See `audio.open_audio`.
        num_speakers : int, optional
            Exact number of speakers. When the file has ended with too few, its chunks with the most speech are read
            again, with more speakers. (Silence has none, and one chunk at most those that fit the vocabulary.)
        min_speakers, max_speakers : int, optional
            Bounds instead.
        speakers : mapping, optional
            Known speakers: a recording of each by name, for instance `{"Alice": "alice.wav"}`, or
            `("meeting.wav", Segment(3, 9))` for a part of a file. At least half a second of their voice, and no other.
        memory : SpeakerMemory, optional
            The `memory` of an earlier diarization: its speakers keep their labels.
        hook : callable, optional
            Called with ("chunks", None, file=file, completed=seconds, total=seconds).
        """
        settings = self._settings(num_speakers, min_speakers, max_speakers)
        recording = open_audio(file)
        known, ready = self._known(speakers, memory), self.setup_hook(file, hook)
        job = Job(file, recording.uri, recording, self._readings(settings), known, ready)
        while not job.finished:
            self._advance([job])
        return job.result(self.min_duration_off, self.calibration)

    def apply_batch(
        self,
        files: Iterable[Source],
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        speakers: Mapping[str, Source] | None = None,
        memory: SpeakerMemory | None = None,
        hook: Callable | None = None,
        progress: bool = False,
        return_exceptions: bool = False,
    ) -> Iterator[tuple[Any, Any]]:
        """Diarize many files: chunks of different files are decoded together.

        Parameters are those of `apply`, for each file; they go before what the `pipeline_kwargs` of a file say.

        Returns
        -------
        results : iterator of (file, Diarization)
            In the order in which files are finished. With `return_exceptions`, a file that cannot be read comes with
            the exception in place of a diarization, and the others go on.
        """
        known = self._known(speakers, memory)
        common = {"num_speakers": num_speakers, "min_speakers": min_speakers, "max_speakers": max_speakers}

        def start(file: Source) -> Job | Failed:
            try:
                recording = open_audio(file)
            except (OSError, ValueError) as error:
                if return_exceptions:
                    return Failed(file, error)
                raise
            readings, ready = self._readings(self._settings(**bounds_of(file, common))), self.setup_hook(file, hook)
            return Job(file, recording.uri, recording, readings, known, ready, return_exceptions)

        waiting = tracked(files, progress)
        jobs: list[Job | Failed] = []
        while jobs := [*jobs, *map(start, islice(waiting, self.batch_size - len(jobs)))]:
            self._advance([job for job in jobs if isinstance(job, Job)])
            for job in jobs:
                if isinstance(job, Failed):
                    yield job.file, job.failure
                elif job.finished:
                    yield job.file, job.failure or job.result(self.min_duration_off, self.calibration)
            jobs = [job for job in jobs if not job.finished]

    def stream(
        self,
        blocks: Iterable[np.ndarray],
        sample_rate: int = SAMPLE_RATE,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        speakers: Mapping[str, Source] | None = None,
        memory: SpeakerMemory | None = None,
        uri: str = "stream",
    ) -> Iterator[Diarization]:
        """Diarize audio as it comes in.

        Parameters
        ----------
        blocks : iterable of (sample,) or (channel, sample) array
            Of any length; audio is decoded whenever there is enough of it for a chunk.
        sample_rate : int
            Of the blocks, in Hz.
        num_speakers, min_speakers, max_speakers, speakers, memory
            As in `apply`.
        uri : str

        Returns
        -------
        diarizations : iterator of Diarization
            Everything up to now, after each chunk. The last one is what one reading of the same audio as a file gives.
        """
        settings = self._settings(num_speakers, min_speakers, max_speakers)
        live = Buffer(rechunk(resample(mixed(blocks, uri), whole_rate(sample_rate, uri), uri), SAMPLE_RATE))
        job = Job(None, uri, live, [settings], self._known(speakers, memory), self.setup_hook({"uri": uri}))
        while not job.finished:
            self._advance([job])
            if not job.finished or not job.state.chunks:
                yield (latest := job.result(self.min_duration_off, self.calibration))
        job.tell_missing(latest)

    def _advance(self, jobs: list[Job]) -> None:
        def choice(together: Sequence[Job]) -> Weighed:
            newcomer = [max(self.newcomer, 0.0) if job.short else self.newcomer for job in together]
            return Weighed(self.model.vocabulary, newcomer, self.beam)

        advance(jobs, self.model, choice)

    def _settings(
        self, num_speakers: int | None = None, min_speakers: int | None = None, max_speakers: int | None = None
    ) -> Settings:
        minimum, maximum = speaker_bounds(num_speakers, min_speakers, max_speakers)
        grid = self.model.grid.first(self.model.specifications.duration)  # no longer than it was trained on
        shortest = max(grid.step(self.min_duration_on), 1)
        return Settings(
            vocabulary=self.model.vocabulary,
            grid=grid,
            sample_rate=SAMPLE_RATE,
            max_turns=self.model.hparams.max_turns,
            longest=grid.num_steps if self.chunk_duration is None else grid.step(self.chunk_duration),
            step=self.step,
            prompt_duration=self.prompt_duration,
            min_duration_steps=shortest,
            min_speakers=minimum,
            max_speakers=maximum,
            audible=Audible(self.model.vocabulary, self.model.steps_per_position, self.speech, shortest),
            faint=self.faint,
            voices=self.voices,
        )

    def _readings(self, settings: Settings) -> list[Settings]:
        return [replace(settings, step=STEPS[i % len(STEPS)] * settings.step) for i in range(self.readings)]

    def _known(self, speakers: Mapping[str, Source] | None, memory: SpeakerMemory | None) -> SpeakerMemory:
        """Memory with the named speakers enrolled."""
        settings = self._settings(max_speakers=1)

        def listen(recording: Recording) -> SpeakerMemory:
            job = Job(None, recording.uri, recording, [settings], SpeakerMemory(), self.setup_hook({}))
            while not job.finished:
                self._advance([job])
            return job.state.memory

        known = enrol(SpeakerMemory() if memory is None else memory, {} if speakers is None else speakers, listen)
        prompted = prompt(known, settings.grid, SAMPLE_RATE, settings.most_prompted).labels
        if left := [voice.label for voice in known.voices if len(voice.clip) and voice.label not in prompted]:
            told = f"{', '.join(left)} will not be recognised: this model knows {len(prompted)} voices at a time."
            warnings.warn(told, stacklevel=4)
        return known
