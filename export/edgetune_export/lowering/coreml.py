"""The Core ML target: iPhones, by ExecuTorch's Core ML delegate (see `delegates`)."""

from typing import Any

from edgetune_export.lowering.delegates import Delegate


def _partitioner() -> Any:
    import coremltools
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    # From iOS 18 on Core ML has int4 weights in blocks.
    specs = CoreMLBackend.generate_compile_specs(minimum_deployment_target=coremltools.target.iOS18)
    return CoreMLPartitioner(compile_specs=specs)


COREML = Delegate("coreml", "CoreMLBackend", _partitioner)

settings, lower, check = COREML.settings, COREML.lower, COREML.check
