"""Signals become frames: speech and ink front ends, normalisation, augmentation."""
