"""The work of single commands, apart from their flags and their text.

chirp, measurement, trips_picture    latency: the signal, the round trips, their picture
trace, hearing_picture, picture_style    vad: the course of a file, its picture; the look of both pictures
vad_file                        vad: a file, and the segments that were found
doctor_system, doctor_finding   doctor: this computer, and what was found
service_unit                    service: the systemd unit
"""

__all__: list[str] = []
