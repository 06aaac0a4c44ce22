"""Opens files with their own architecture: TorchScript, torch.export and ONNX, and notes what they can execute."""

from __future__ import annotations

import importlib
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._utils.errors import ModelError
from .._utils.files import listed, one_line, shown

# Operators by which TorchScript reaches beyond its tensors: files, and libraries of compiled operators.
_REACHES_OUT = re.compile(
    r"\btorch\.(from_file|save|load|_C\.\w+)\s*\(|\bops\.(?!aten|prim|torchvision|quantized|image)\w+\.\w+"
)


def open_torchscript(path: Path, trust: bool) -> tuple[nn.Module, str]:
    """Open a TorchScript file, after reading its source for operators that touch files.

    Parameters
    ----------
    path : Path
        What `formats.sniff` called ``'torchscript'``.
    trust : bool
        Open it whatever operators it uses.

    Returns
    -------
    model : nn.Module
        On the CPU, in float32.
    note : str
        What such a file can execute.

    Raises
    ------
    ModelError
        It is damaged, or uses such operators.
    """
    name = shown(path.name)
    try:
        wanted: set[str] = set()
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(".py"):
                    text = archive.read(member).decode("utf-8", "replace")
                    wanted |= {match.group().rstrip("( ") for match in _REACHES_OUT.finditer(text)}
        if wanted and not trust:
            raise ModelError(
                f"{name} is TorchScript that uses {listed(sorted(wanted))}, which reaches beyond tensors: refused. "
                "Pass trust only if you trust who made it",
                "trust",
            )
        model: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except ModelError:
        raise
    except Exception as error:  # zip, zlib and PyTorch's reader each raise their own on damage
        raise ModelError(f"{name} is no intact TorchScript file ({one_line(error)}): save it again") from error
    return model.float(), f"{name} is TorchScript: it runs operators of PyTorch on tensors, and no Python"


def open_exported(path: Path, trust: bool) -> tuple[nn.Module, str]:
    """Open a torch.export file, which needs trust: its graph may name any function of Python.

    Parameters
    ----------
    path : Path
        What `formats.sniff` called ``'pt2'``.
    trust : bool
        Open it.

    Returns
    -------
    model : nn.Module
        The exported program's module.
    note : str
        What such a file can execute.

    Raises
    ------
    ModelError
        It is damaged, or not trusted.
    """
    name = shown(path.name)
    if not trust:
        raise ModelError(
            f"{name} is a torch.export program: opening one evaluates expressions and calls functions by the names "
            "in the file, so it can run any code: refused. Pass a state dict or ONNX; "
            "only if you trust who made it, pass trust",
            "trust",
        )
    try:
        model = torch.export.load(path).module()
    except Exception as error:  # a trusted program runs any code, so it may raise anything
        raise ModelError(
            f"{name} is no torch.export file of this PyTorch {torch.__version__} ({one_line(error)}): export it again"
        ) from error
    return Exported(model), f"{name} is a torch.export program, opened because you trust it"


class Exported(nn.Module):
    """An exported program; it runs in the mode that it was exported in, whatever `train` is called with.

    Parameters
    ----------
    program : nn.Module
        What ``ExportedProgram.module()`` gives.
    """

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, images: Tensor) -> Any:
        """Run the program on preprocessed images, shape-(N, C, H, W)."""
        return self.program(images)

    def train(self, mode: bool = True) -> Exported:
        """Change nothing: there is one mode."""
        return self


class OnnxModel(nn.Module):
    """An ONNX network under onnxruntime, called like a PyTorch one; it has no gradients.

    Parameters
    ----------
    path : Path
        The file.

    Attributes
    ----------
    shape : list
        Of the input, with names or None where a side is free.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        name = shown(path.name)
        try:
            onnxruntime: Any = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise ModelError(
                f"{name} is ONNX, and onnxruntime is not installed: pip install 'cnncomm-bench[onnx]'"
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base class
            raise ModelError(
                f"{name} is no ONNX model that onnxruntime opens ({one_line(error)}): export it again"
            ) from error
        inputs = self.session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or "float" not in inputs[0].type:
            found = listed([f"{i.name} {i.type} {i.shape}" for i in inputs])
            raise ModelError(f"{name} takes {found or 'no input'}, expected one float input of shape (N, C, H, W)")
        self.input = inputs[0].name
        self.dtype = np.float16 if "float16" in inputs[0].type else np.float32
        self.shape: list[Any] = [side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape]

    def forward(self, images: Tensor) -> Tensor:
        """Run the network.

        Parameters
        ----------
        images : Tensor, shape-(N, C, H, W)
            Preprocessed images on any device.

        Returns
        -------
        Tensor, shape-(N, K)
            Its first output, on the device of `images`.
        """
        array = images.detach().cpu().numpy().astype(self.dtype)
        step = self.shape[0] or len(array)  # a batch size fixed at export is kept, the last batch padded
        outputs = []
        for start in range(0, len(array), step):
            block = array[start : start + step]
            padded = np.concatenate([block, np.repeat(block[-1:], step - len(block), axis=0)])
            outputs.append(self.session.run(None, {self.input: padded})[0][: len(block)])
        return torch.from_numpy(np.concatenate(outputs)).float().to(images.device)


def open_onnx(path: Path) -> tuple[OnnxModel, str]:
    """Open an ONNX file with onnxruntime.

    Parameters
    ----------
    path : Path
        What `formats.sniff` called ``'onnx'``.

    Returns
    -------
    model : OnnxModel
        Without gradients.
    note : str
        What such a file can execute, and what it cannot be used for.

    Raises
    ------
    ModelError
        onnxruntime is missing or cannot open it, or it does not take images.
    """
    note = (
        f"{shown(path.name)} is ONNX: onnxruntime runs its operators on tensors, and no code of its own; it has no "
        "gradients, so attacks that need them (fgsm, fgm, pgd, ...) need the PyTorch model"
    )
    return OnnxModel(path), note
