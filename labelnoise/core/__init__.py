"""The shared core: numpy arrays in, numpy arrays out, no modality and no torch needed."""
