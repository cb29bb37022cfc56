"""What figures and report share: results, words, colours, sheets; computes no score."""
