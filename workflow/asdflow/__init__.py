"""asdflow: training-free anomalous sound detection, settled reproducibly."""

__version__ = "0.1.0"
