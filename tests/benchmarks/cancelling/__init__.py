"""The benchmark of the echo canceller: rooms, voices, subjects, and a figure beside each target.

rooms         impulse responses of rooms, from a seed
voices        what the program says, and what the user says over it
scenes        a room, a program and a user, mixed into the audio of one microphone
subjects      the bare microphone, AEC3 alone, and the engine of the product
reduction     by how much the echo is less, over time
ears          what a voice detector makes of it: turns, frames, the moment at which a user is noticed
transcripts   what a recogniser makes of the words
goals         a figure beside its target, and a table of them
"""
