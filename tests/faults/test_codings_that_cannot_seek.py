"""GSM 6.10, G.721, NMS ADPCM: whole files that can only be read from their beginning."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from asdflow.audio import read_clip
from asdflow.audio.files import BLOCK, open_audio
from asdflow.foundation.errors import DataError

RATE = 8000
CODINGS = [
    *(("WAV", "GSM610"), ("WAV", "G721_32"), ("WAV", "NMS_ADPCM_16"), ("WAV", "NMS_ADPCM_32")),
    *(("AU", "G723_24"), ("W64", "GSM610"), ("AIFF", "GSM610")),
]


@pytest.fixture(params=CODINGS, ids="-".join)
def coded(request, tmp_path):
    """A file of more than one block, and what soundfile decodes of it in one go."""
    kind, subtype = request.param
    samples = 0.3 * np.sin(np.arange(2 * BLOCK + 1000) * 0.1)
    path = tmp_path / "a.sound"
    soundfile.write(path, samples, RATE, format=kind, subtype=subtype)
    with soundfile.SoundFile(path) as file:
        assert not file.seekable()
        return path, file.read(file.frames)


def test_they_are_read_whole(coded):
    path, expected = coded
    np.testing.assert_array_equal(read_clip(path, RATE), expected.astype(np.float32))


def test_segments_are_those_of_the_whole_in_any_order(coded):
    path, expected = coded
    with open_audio(path) as file:
        for start, count in ((0, 100), (50, 200), (BLOCK + 17, 300), (BLOCK + 317, 40), (3, 5), (3, 5)):
            np.testing.assert_array_equal(file.read(start, count)[:, 0], expected[start : start + count])


def test_cut_short_they_are_refused(coded):
    path, _ = coded
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match="cut short"):
        read_clip(path, RATE)


def test_a_coding_that_libsndfile_cannot_position_in_is_to_be_converted(tmp_path):
    path = tmp_path / "a.aiff"
    soundfile.write(path, 0.3 * np.sin(np.arange(8000) * 0.1), RATE, subtype="DWVW_16")
    with pytest.raises(
        DataError, match=r"is AIFF .* with 16 bit DWVW, whose length cannot be checked\. Convert"
    ):
        read_clip(path, RATE)
