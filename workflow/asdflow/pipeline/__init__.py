"""Members put together: from an entry of a configuration to a detector; knows no file and no rule."""
