"""From an audio file to the waveform of a clip; does not know data sets, labels or encoders.

The order of the steps is fixed, and stated in `asdflow.audio.clip`.
"""

from asdflow.audio.clip import read_clip, waveform_samples
from asdflow.audio.options import AudioOptions
from asdflow.audio.resampling import resample

__all__ = ["AudioOptions", "read_clip", "resample", "waveform_samples"]
