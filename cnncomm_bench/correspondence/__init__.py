"""The parts of the correspondence between a CNN and a link; `cnncomm_bench.correspond` puts them together."""
