"""Instruments: figures of networks and sheets of what they draw, for training and evaluation alike."""
