"""What the decoder's state starts from."""
