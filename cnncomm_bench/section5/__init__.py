"""The arguments of the paper's Section 5 as experiments: `features`, `samples`, `tradeoff`, `checkbits`.

Each module has `run(setting) -> Outcome`, a negative control that must come out null, and a claim with a verdict.
"""

EXPERIMENTS = ("features", "samples", "tradeoff", "checkbits")
