"""What `models` is made of: containers, architectures, hubs, and the pass that finds what a network takes."""
