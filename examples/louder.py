"""A file through a pipeline, much faster than it sounds: `python louder.py IN.wav OUT.wav`"""

import sys

import voicepipe as vp

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    files = vp.open_backend(f"wav:{sys.argv[1]},{sys.argv[2]}")
    pipeline = vp.Pipeline([vp.MicrophoneInput(files), vp.Gain(db=6), vp.Loopback(), vp.SpeakerOutput(files)])
    vp.PipelineRunner().main(vp.PipelineTask(pipeline))
