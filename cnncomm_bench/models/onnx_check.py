"""Opens an ONNX file and classifies one image, in a process with little memory: run by `programs` as a script."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MEMORY = 4 * 2**30
"""Bytes, and eight times the file; a small file may hold an operator that asks for any amount."""
_ENDLESS = ("Loop", "Scan")


def main(path: str) -> None:
    """Exit with a line on stderr where the file must not be used."""
    with contextlib.suppress(ImportError):  # there is no such module, and no limit, on Windows
        import resource

        limit = MEMORY + 8 * Path(path).stat().st_size
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    import numpy as np
    import onnx
    import onnxruntime

    model = onnx.load(path, load_external_data=False)
    graphs = [model.graph, *model.functions]
    if loops := sorted({node.op_type for graph in graphs for node in _nodes(graph) if node.op_type in _ENDLESS}):
        sys.exit(f"it has the operator {loops[0]}, which may not end")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    sides = [side if isinstance(side, int) else free for side, free in zip(first.shape, (1, 3, 224, 224), strict=False)]
    image = np.zeros(sides, np.float16 if "float16" in first.type else np.float32)
    with contextlib.suppress(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):  # it takes another size
        session.run(None, {first.name: image})


def _nodes(graph: Any) -> Iterator[Any]:
    """Yield the nodes of a graph or function, and of the graphs inside them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as problem:  # onnx and onnxruntime share no base class of errors
        sys.exit(f"{type(problem).__name__}: {problem}")
