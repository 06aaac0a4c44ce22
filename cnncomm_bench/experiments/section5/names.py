"""The names of the experiments of Section 5, in the paper's order."""

EXPERIMENTS = ("features", "samples", "tradeoff", "checkbits", "capsules", "decoding", "contrast")
