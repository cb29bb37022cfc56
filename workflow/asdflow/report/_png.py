"""The smallest PNG writer that does: an indexed picture, no time stamp, no library version inside."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def indexed_png(index: np.ndarray, palette: np.ndarray) -> bytes:
    """PNG of a picture whose pixels point into a palette.

    Parameters
    ----------
    index : (height, width) uint8
        Rows from top to bottom.
    palette : (colours, 3) uint8
        Red, green, blue; at most 256 colours.
    """
    height, width = index.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), index.astype(np.uint8)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [(b"IHDR", header), (b"PLTE", palette.astype(np.uint8).tobytes())]
    parts += [(b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
