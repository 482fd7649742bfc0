"""Signals into frames: front ends for speech, ink and images, normalisation, augmentation."""
