"""SSLAM: EAT pre-trained further on mixtures of sounds (Alex et al. 2025)."""

from __future__ import annotations

from dataclasses import dataclass

from asdflow.encoders import register
from asdflow.encoders._passes import Checkpoint
from asdflow.encoders.eat import EAT


@register("sslam")
@dataclass(frozen=True)
class SSLAM(EAT):
    """Tokens of a layer of SSLAM: the network, front end, options and errors of `eat`, other weights.

    Pre-training went on from EAT with partial mixtures of two clips and a loss that keeps both apart, meant
    for sounds in company. Silence is legal.

    Source: Alex et al., SSLAM: enhancing self-supervised models with audio mixtures for polyphonic
    soundscapes, ICLR 2025.
    """

    checkpoint: Checkpoint = "sslam_base"
