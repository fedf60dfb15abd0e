"""Stores of limits: where what is used of each is counted, for one process or for several."""
