"""The parts of the communication link; `cnncomm_bench.link` puts them together."""
