"""The work of single commands, apart from their flags and their text.

chirp, measurement, pictures    latency: the signal, the round trips, the plots (of vad, too)
vad_file                        vad: a file, and the segments that were found
doctor_system, doctor_finding   doctor: this computer, and what was found
service_unit                    service: the systemd unit
"""

__all__: list[str] = []
