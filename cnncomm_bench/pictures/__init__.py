"""What `data` is made of: where images come from, how each is decoded, and which class it belongs to."""
