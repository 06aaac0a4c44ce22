"""`python -m cnncomm_bench.cli`, where the command is not installed."""

from . import main

main()
