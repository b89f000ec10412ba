"""Ready-made inline stages for common tasks.

filter      `FrameFilter`: passes frames of some classes and drops the others
gain        `Gain`: makes audio louder or softer
loopback    `Loopback`: sends microphone audio to the speaker
meter       `LevelMeter`: measures the level of passing audio
tap         `Tap`: shows passing frames to a function
"""

__all__: list[str] = []
