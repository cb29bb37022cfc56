"""Which files a study asks for and what redoes each; reads no product and computes no number."""
