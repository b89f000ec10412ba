"""Voice detection, segments and utterances."""
