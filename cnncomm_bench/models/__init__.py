"""Opens any classifier as one callable from images in [0, 1] to logits; nothing untrusted is executed."""

from . import architectures
from .architectures import modules_from_files
from .loading import open_model
from .model import Model
from .preprocessing import Preprocessing

__all__ = ["Model", "Preprocessing", "architectures", "modules_from_files", "open_model"]
