"""Runs of many events while what takes and sends them is killed and paused at random: C{python -m tests.sinkrun}."""
