"""Programs that take minutes to hours, and short versions of them as tests."""
