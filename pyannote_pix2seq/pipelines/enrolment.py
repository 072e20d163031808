"""Known speakers: a recording of each by name -> voices in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..audio import Recording, Source, open_audio
from ..prompts import SHORTEST_CLIP, SHORTEST_STRETCH, SpeakerMemory


def enrol(
    memory: SpeakerMemory, speakers: Mapping[str, Source], listen: Callable[[Recording], SpeakerMemory]
) -> SpeakerMemory:
    """Memory with the named speakers.

    Parameters
    ----------
    memory : SpeakerMemory
        A speaker with a name that it has already is replaced.
    speakers : mapping
        Recording of each speaker, who must be the only one to speak in it.
    listen : callable
        Memory after a recording is diarized as one speaker.

    Raises
    ------
    ValueError
        If a recording cannot be read, has no speech or too little; the message names the speaker.
    """
    if not isinstance(memory, SpeakerMemory):
        raise ValueError(f"memory is the `memory` of a Diarization; got {type(memory).__name__}.")
    if not isinstance(speakers, Mapping):
        raise ValueError(f"speakers maps names to recordings; got {type(speakers).__name__}.")
    for name, source in speakers.items():
        try:
            recording = open_audio(source)
            voices = listen(recording).voices
        except (OSError, ValueError) as error:
            raise ValueError(f"speaker {name!r}: {error}") from None
        if not voices:
            raise ValueError(f"speaker {name!r}: no speech in {recording.name}.")
        if not len(voices[0].clip):
            raise ValueError(
                f"speaker {name!r}: {voices[0].duration:.2f} s of speech in {recording.name} is too short; "
                f"at least {SHORTEST_CLIP} s are needed, in stretches of {SHORTEST_STRETCH} s or more."
            )
        memory = memory.put(replace(voices[0], label=name, last_heard=memory.num_chunks, enrolled=True))
    return memory
