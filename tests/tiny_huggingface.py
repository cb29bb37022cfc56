"""Folders of tiny networks with random weights, saved by the library `transformers` itself, for tests."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
# A frame sees 402 samples and the next one begins 320 later, nearly as in the published models.
CONVOLUTIONS = {
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 8, 10),
    "conv_stride": (5, 8, 8),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
WHISPER = {
    "d_model": 32,
    "encoder_layers": 3,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_layers": 1,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 48,
    "num_mel_bins": 16,
    "max_source_positions": 100,  # 2 s
    "vocab_size": 60,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
# Kind -> class that saves it (with a head, as on the hub), class that computes it, options, front end.
KINDS: dict[str, tuple[str, str, dict[str, Any], str, dict[str, Any]]] = {
    "ast": (
        "ASTForAudioClassification",
        "ASTModel",
        SIZES | {"num_mel_bins": 32, "max_length": 128, "num_labels": 3},  # 1.295 s
        "ASTFeatureExtractor",
        {"num_mel_bins": 32, "max_length": 128},
    ),
    "data2vec": (
        "Data2VecAudioModel",
        "Data2VecAudioModel",
        SIZES | CONVOLUTIONS | {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 7},
        "Wav2Vec2FeatureExtractor",
        {"do_normalize": True},
    ),
    "hubert": (
        "HubertForCTC",
        "HubertModel",
        SIZES | CONVOLUTIONS | {"vocab_size": 10},
        "Wav2Vec2FeatureExtractor",
        {"do_normalize": False},
    ),
    "hubert_large": (  # norms before the blocks, and one behind the last
        "HubertModel",
        "HubertModel",
        SIZES | CONVOLUTIONS | {"do_stable_layer_norm": True, "feat_extract_norm": "layer"},
        "Wav2Vec2FeatureExtractor",
        {"do_normalize": True},
    ),
    "wav2vec2": (
        "Wav2Vec2ForPreTraining",
        "Wav2Vec2Model",
        SIZES
        | CONVOLUTIONS
        | {"codevector_dim": 16, "proj_codevector_dim": 16, "num_codevectors_per_group": 8},
        "Wav2Vec2FeatureExtractor",
        {"do_normalize": True},
    ),
    "wavlm": (
        "WavLMModel",
        "WavLMModel",
        SIZES | CONVOLUTIONS,
        "Wav2Vec2FeatureExtractor",
        {"do_normalize": False},
    ),
    "whisper": (
        "WhisperForConditionalGeneration",
        "WhisperModel",
        WHISPER,
        "WhisperFeatureExtractor",
        {"feature_size": 16, "chunk_length": 2},
    ),
}


def save_model(kind: str, folder: Path, **options: Any) -> Path:
    """Save a network of a kind with its front end; `options` go to the library's `save_pretrained`."""
    transformers = pytest.importorskip("transformers", reason="needs the extra `huggingface`")
    import torch

    from asdflow.encoders.huggingface._network import quiet

    saved, _, sizes, front_end, front_end_options = KINDS[kind]
    cls = getattr(transformers, saved)
    network = cls(cls.config_class(**sizes))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in sorted(network.named_parameters()):
            fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
            values = torch.randn(parameter.shape, generator=generator)
            scale = "norm" in name and name.endswith("weight")
            parameter.copy_(1 + 0.2 * values.tanh() if scale else values / max(fan_in, 10) ** 0.5)
    with quiet():
        network.save_pretrained(folder, **options)
        getattr(transformers, front_end)(**front_end_options).save_pretrained(folder)
    return folder


@cache
def model_folder(kind: str) -> Path:
    """Folder of a network of a kind, made once in a process. Not to be changed."""
    return save_model(kind, Path(tempfile.mkdtemp(prefix=f"asdflow-{kind}-")))
