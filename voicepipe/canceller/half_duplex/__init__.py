"""Half-duplex that hears you: while a speaker sounds, only what is louder than its echo passes.

half_duplex    frames that pass, and those that do not
loudness_gate  louder than the echo, or not, block by block
echo_level     the level of the echo to expect, band by band
"""

__all__: list[str] = []
