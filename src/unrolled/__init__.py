"""Recurrent neural networks that are fast on a CPU and open at every time step."""
