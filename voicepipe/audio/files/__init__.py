"""Sound files: found out by their content, read piece by piece, and written as WAV.

sound_file      a file of any kind, behind one interface
sound_kinds     the kinds, told by their first bytes
wav_file        WAV files, read and written
wav_header      the header of a WAV file, held against what is there
wav_encoding    the encodings of WAV files that are read
companding      A-law and mu-law, as tables
rounding        wider samples, rounded to int16
decoded_file    what libsndfile decodes: FLAC, Ogg, MP3, AIFF and others
unmeasured_mp3  MP3 files without a header that counts their samples
regular_file    files that nothing waits for
private_files   files and folders that are their owner's alone
wav_advice      the names of encodings, and the commands that convert files
"""

__all__: list[str] = []
