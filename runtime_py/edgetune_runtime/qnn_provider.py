"""ONNX Runtime's provider for Qualcomm's NPU, which comes as a package of its own.

On an x86-64 machine it compiles for any phone and emulates the NPU. It knows no graph.
"""

import functools
from typing import Any

import onnxruntime as ort


def add_provider(options: ort.SessionOptions, **provider_options: str) -> None:
    """Let a session with `options` use the NPU, or here its emulation, and the CPU for the rest.

    Raises ImportError where the package `onnxruntime-qnn` is not installed.
    """
    import onnxruntime_qnn

    options.log_severity_level = 3
    settings = {"backend_path": onnxruntime_qnn.get_qnn_htp_path(), **provider_options}
    options.add_provider_for_devices(_devices(), settings)


@functools.cache
def _devices() -> list[Any]:
    import onnxruntime_qnn

    # A compiled graph names its provider, so a phone has to register it by the same name.
    name = onnxruntime_qnn.get_ep_name()
    ort.register_execution_provider_library(name, onnxruntime_qnn.get_library_path())
    return [device for device in ort.get_ep_devices() if device.ep_name == name][:1]
