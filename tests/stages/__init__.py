"""The stages that come with voicepipe."""
