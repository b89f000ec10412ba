"""The arguments: from flags, environment and file to checked options, and to what they choose.

options        the flags that commands share, and their parser
settings       the settings as options
settings_file  the file of settings, read and changed
plugins        commands of other packages
vad_options    the flags of voice detection
protection     the flags against the program's own sound
device_name    the name of a device as an option
sound_source   the back end that a command takes
end_after      the end after some seconds
"""

__all__: list[str] = []
