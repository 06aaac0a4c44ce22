"""Opens any classifier as one callable from images in [0, 1] to logits; nothing untrusted is executed."""

from . import architectures
from .hubs import is_name
from .in_memory import model_of
from .loading import open_model
from .model import Model
from .own_code import modules_from_files
from .preprocessing import Preprocessing

__all__ = ["Model", "Preprocessing", "architectures", "is_name", "model_of", "modules_from_files", "open_model"]
