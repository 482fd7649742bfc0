"""The LSTM family: one cell with flags, the reference, the fast kernels."""
