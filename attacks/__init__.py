"""Attacks on what attrax promises: run with `make attack` or `python -m attacks`."""
