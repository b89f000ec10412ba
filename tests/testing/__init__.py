"""What voicepipe.testing gives to tests of stages and back ends."""
