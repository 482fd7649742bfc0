"""What comes in from a file: audio samples and digital ink, whatever the format."""
