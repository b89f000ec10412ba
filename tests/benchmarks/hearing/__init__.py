"""How well speech is found in noise: labelled speech, mixed with noise, heard by engine after engine."""
