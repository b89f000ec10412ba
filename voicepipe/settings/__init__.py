"""The settings of the user: variables, and one file. `voicepipe config` shows and changes them.

sources  where a setting stands: the file, and the variables
sound    the settings of a program's sound: back end, devices, voice detection
text     the text of the file, as editors of any system save it
"""

__all__: list[str] = []
