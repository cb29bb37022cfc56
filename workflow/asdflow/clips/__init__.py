"""What a clip is, before and after its file is opened; does not know which kind of data set it is from."""
