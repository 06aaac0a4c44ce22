"""What the adapters share: our noise in other libraries' shape, and what their attacks know of sizes."""
