"""The microphone and the speaker of a run."""
