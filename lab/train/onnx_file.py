"""Networks to onnx files with half-precision storage that run in float32."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

SMALLEST = 64
"""Constants with fewer values than this stay float32: they weigh nothing, and shapes must stay exact."""


def store_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Keep the weights as float16, each with a Cast to float32 that the runtime folds away when it loads."""
    weights = [item for item in model.graph.initializer if item.data_type == TensorProto.FLOAT]
    casts = []
    for item in weights:
        values = numpy_helper.to_array(item)
        if values.size < SMALLEST:
            continue
        name = item.name
        item.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + "_half"))
        casts.append(helper.make_node("Cast", [name + "_half"], [name], name="widen_" + name, to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def save(
    network: nn.Module,
    example: Tensor,
    path: Path,
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
    notes: dict[str, str],
) -> None:
    """Write ``network`` to ``path``; ``notes`` become the file's metadata (licence, figures, thresholds)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        network.eval(), (example,), str(path), input_names=["input"], output_names=outputs, dynamic_axes=dynamic,
        opset_version=17, dynamo=False,
    )
    model = store_half(onnx.load(str(path)))
    for key, value in notes.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
