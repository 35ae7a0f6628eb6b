"""The data set: folders of training pairs, made, checked, and read as tensors."""
