"""Forecasting as a task: how series of numbers go on, how surely, and what else foresees them.

task.py      what is prepared, learned and judged
reading.py   files and what Python holds as series
reader.py    what turns series into features, and answers into values
windows.py   series cut into windows, the parts by time
network.py   recurrent layers, and the readout of quantiles
ahead.py     a trained model asked how series go on
naive.py     last value, seasonal naive, drift, Naive2
accuracy.py  sMAPE, MASE, OWA, pinball loss, coverage, conformal widening
"""

from unrolled.tasks.forecast.task import Forecasting

__all__ = ["Forecasting"]
