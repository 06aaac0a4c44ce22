"""Experiments of the paper (Ge et al.): its link, its correspondence, its Section 5."""
