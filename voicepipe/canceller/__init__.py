"""The echo canceller: the program does not hear itself, and keeps the words that are said over it.

protocol     the engine that takes the echo out of a microphone's audio, as a protocol
engines      the engines, by name: AEC3 for the ear, a Kalman filter for the words
"""

__all__: list[str] = []
