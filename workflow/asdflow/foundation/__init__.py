"""Errors, registry, seeds, progress, files: knows nothing of sound or scores; imports nothing of ours."""
