"""The recording of a conversation: six aligned tracks, and labels.

tracks       what is recorded, and when
track_files  its files
heard_sound  the sound of the speakers in it, by their own stamps
"""

__all__: list[str] = []
