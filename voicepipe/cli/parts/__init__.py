"""The work of single commands, apart from their flags and their text.

chirp, measurement, trips_picture              latency: the signal, the round trips, their picture
vad_file, trace, hearing_picture               vad: the segments of a file, its course, its picture
picture_style                                  the look of pictures
doctor_system, doctor_level, doctor_echo       doctor: this computer, the level, the echo
doctor_finding                                 doctor: what was found
voice_loop                                     level and doctor: the voice that is played for its echo
loudness                                       level and doctor: the verdict on a microphone's loudness
service_unit, service_manager, service_state   service: the systemd unit, systemd, and the state in words
tracks_picture                                 vad: the picture of a conversation's tracks
"""

__all__: list[str] = []
