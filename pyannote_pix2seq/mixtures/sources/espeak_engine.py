"""A program that speaks with eSpeak NG: one voice's texts in (JSON, stdin), 16-bit samples out (stdout).

It runs in a process of its own, one per voice, and imports nothing but the standard library. The engine keeps state
between sentences, even across its own re-initialisation, so only a fresh process says the same thing whatever was
said before; and the engine's licence (GPL) and crashes stay outside of ours.

Source of constants and signatures: the documentation of `speak_lib.h` of eSpeak NG 1.52.
"""

from __future__ import annotations

import ctypes
import json
import struct
import sys
from typing import Any

SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: hand the samples to the callback, return when all is said
RATE, PITCH = 1, 3  # espeak_PARAMETER: words per minute; 0-100, 50 is the voice's own
UTF8 = 1
SEED = 0  # of the engine's breath noise, which else depends on the clock


def main() -> None:
    job: dict[str, Any] = json.load(sys.stdin)
    engine = ctypes.CDLL(job["library"])
    sample_rate = engine.espeak_Initialize(SYNCHRONOUS, 0, job["data"].encode(), 0)
    if sample_rate <= 0:
        sys.exit(f"eSpeak NG cannot read its data in {job['data']!r}")
    spoken = bytearray()

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def receive(samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            spoken.extend(ctypes.string_at(samples, 2 * count))
        return 0

    engine.espeak_SetSynthCallback(receive)
    if engine.espeak_SetVoiceByName(job["voice"].encode()) != 0:
        sys.exit(f"eSpeak NG has no voice {job['voice']!r}")
    engine.espeak_SetParameter(RATE, job["rate"], 0)
    engine.espeak_SetParameter(PITCH, job["pitch"], 0)
    engine.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
    output = sys.stdout.buffer
    output.write(struct.pack("<i", sample_rate))
    for text in job["texts"]:
        spoken.clear()
        utf8 = text.encode() + b"\0"
        if engine.espeak_Synth(utf8, ctypes.c_size_t(len(utf8)), 0, 0, 0, UTF8, None, None) != 0:
            sys.exit(f"eSpeak NG cannot say {text!r}")
        engine.espeak_Synchronize()
        output.write(struct.pack("<i", len(spoken)) + spoken)


if __name__ == "__main__":
    main()
