"""The names of the experiments of Section 5, in the paper's order."""

<<<<<<< HEAD
EXPERIMENTS = ("features", "samples", "tradeoff", "checkbits", "decoding", "contrast")
=======
EXPERIMENTS = ("features", "samples", "tradeoff", "checkbits", "capsules", "decoding")
>>>>>>> 7745570c1da51cd6e6dfd45c59e031d05709c829
