"""A virtual sound card, and the tests of programs that run on it. README.md here says how it works."""
