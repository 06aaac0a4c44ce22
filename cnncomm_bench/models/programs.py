"""Opens files with their own architecture: TorchScript, torch.export and ONNX, and notes what they can execute."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._utils.errors import ModelError
from .._utils.files import listed, one_line, shown


def open_torchscript(path: Path, trust: bool) -> tuple[nn.Module, str]:
    """Open a TorchScript file, which needs trust: its operators read and write files, and some run while it is loaded.

    Parameters
    ----------
    path : Path
        What `formats.sniff` called ``'torchscript'``.
    trust : bool
        Open it.

    Returns
    -------
    model : nn.Module
        On the CPU, in float32.
    note : str
        What such a file can execute.

    Raises
    ------
    ModelError
        It is damaged, or not trusted.
    """
    name = shown(path.name)
    if not trust:
        raise _refused(f"{name} is TorchScript, whose operators can write any file")
    try:
        model: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        return model.float(), f"{name} is TorchScript, opened because you trust it"
    except Exception as error:  # zip, zlib and PyTorch's reader each raise their own on damage
        raise ModelError(f"{name} is no intact TorchScript file ({one_line(error)}): save it again") from error


def open_exported(path: Path, trust: bool) -> tuple[Exported, str]:
    """Open a torch.export file, which needs trust: its graph may name any function of Python.

    Parameters
    ----------
    path : Path
        What `formats.sniff` called ``'pt2'``.
    trust : bool
        Open it.

    Returns
    -------
    model : Exported
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
        raise _refused(
            f"{name} is a torch.export program: opening one evaluates expressions and calls functions by the names "
            "in the file, so it can run any code"
        )
    try:
        program = torch.export.load(path)
        model, batch = program.module(), _batch_size(program)
    except Exception as error:  # a trusted program runs any code, so it may raise anything
        raise ModelError(
            f"{name} is no torch.export file of this PyTorch {torch.__version__} ({one_line(error)}): export it again"
        ) from error
    note = f"{name} is a torch.export program, opened because you trust it"
    return Exported(model, batch), note + (f"; exported for {batch} images at a time" if batch else "")


def _batch_size(program: torch.export.ExportedProgram) -> int | None:
    """Images in the one batch that an exported program takes; None where it takes any number."""
    inputs = set(program.graph_signature.user_inputs)
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in inputs and "val" in node.meta]
    return shapes[0][0] if shapes and shapes[0] and isinstance(shapes[0][0], int) else None


class Exported(nn.Module):
    """An exported program; it runs in the mode that it was exported in, whatever `train` is called with.

    Parameters
    ----------
    program : nn.Module
        What ``ExportedProgram.module()`` gives.
    batch : int, optional
        Images in the one batch that it takes; None where it takes any number.
    """

    def __init__(self, program: nn.Module, batch: int | None = None) -> None:
        super().__init__()
        self.program, self.batch = program, batch

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
        The file, checked or trusted.

    Attributes
    ----------
    shape : list
        Of the input, with names or None where a side is free.
    """

    differentiable = False

    def __init__(self, path: Path) -> None:
        super().__init__()
        name = shown(path.name)
        onnxruntime = _import_onnxruntime(name)
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
        if any((side or 1) > most for side, most in zip(self.shape, (1024, 64, 4096, 4096), strict=True)):
            raise ModelError(f"{name} takes images of shape {self.shape}, expected at most (1024, 64, 4096, 4096)")

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


def _import_onnxruntime(name: str) -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise ModelError(
            f"{name} is ONNX, and onnxruntime is not installed: pip install 'cnncomm-bench[onnx]'"
        ) from error


def open_onnx(path: Path, trust: bool) -> tuple[OnnxModel, str]:
    """Open an ONNX file with onnxruntime, after a process with little memory and time has done so.

    Parameters
    ----------
    path : Path
        What `formats.sniff` called ``'onnx'``.
    trust : bool
        Open it without that check, which refuses loops and what is too large.

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
    if not trust:
        _import_onnxruntime(shown(path.name))
        _check_onnx(path)
    return OnnxModel(path), note


def _check_onnx(path: Path) -> None:
    name = shown(path.name)
    seconds = 8 + path.stat().st_size / 2e7
    command = [sys.executable, "-P", str(Path(__file__).with_name("onnx_check.py")), str(path.absolute())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{name} takes more than {seconds:.0f} s to open and classify one image: refused. "
            "Only if you trust who made it, pass trust",
            "trust",
        ) from error
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ModelError(
            f"{name} is no ONNX model that onnxruntime opens within 4 GiB ({shown(last) or 'it ended the process'}): "
            "export it again, or pass trust if you trust who made it",
            "trust",
        )


def _refused(reason: str) -> ModelError:
    text = f"{reason}: refused. Pass a state dict or ONNX; only if you trust who made it, pass trust"
    return ModelError(text, "trust")
