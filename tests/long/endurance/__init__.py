"""Long runs: a real hour on the virtual sound card, and a day of virtual time."""
