"""Opens any labelled images as arrays of pixels; nothing in a file is executed."""

from .array_like import ArrayLike, chunks
from .arrays import as_labels
from .classmap import permutation_warning, read_class_map
from .dataset import Dataset, Indices
from .images import Images, balanced_subset, check_labels, images_sha256, open_images

__all__ = [
    "ArrayLike",
    "Dataset",
    "Images",
    "Indices",
    "as_labels",
    "balanced_subset",
    "check_labels",
    "chunks",
    "images_sha256",
    "open_images",
    "permutation_warning",
    "read_class_map",
]
