"""The service that `idle.py` measures: it listens with an ear, and has a speaker open. One with all patience.

    python tests/benchmarks/idle_service.py ENGINE

Where instructions are counted everything takes fifty times as long, the start of a sound process too.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by its path
    sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("", "devices")]

import voicepipe as vp
from voicepipe.cli.commands.echo import SayBack
from voicepipe_devices import streams
from voicepipe_devices.sound_process import streams as outside

PATIENCE_S = 600.0


def main() -> None:
    """Run until SIGINT."""
    for limit in ("OPEN_S", "START_S"):
        setattr(outside, limit, PATIENCE_S)
    streams.SILENCE_S = PATIENCE_S
    sound = vp.open_backend("portaudio")
    ear = [vp.MicrophoneInput(sound, device="vcard"), vp.VADProcessor(sys.argv[1]), vp.UtteranceCollector()]
    pipeline = vp.Pipeline([*ear, SayBack(), vp.SpeakerOutput(sound, device="vcard")])
    vp.PipelineRunner().main(vp.PipelineTask(pipeline, limits=vp.Limits(start_s=PATIENCE_S)))


if __name__ == "__main__":
    main()
