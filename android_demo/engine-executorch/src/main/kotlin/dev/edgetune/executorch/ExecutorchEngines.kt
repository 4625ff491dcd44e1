package dev.edgetune.executorch

import dev.edgetune.core.Bundle
import dev.edgetune.core.Engine
import dev.edgetune.core.EngineFactory
import dev.edgetune.core.Target

/** Engines on ExecuTorch's Module, for the target `executorch`. */
public object ExecutorchEngines : EngineFactory {
    override val name: String = "executorch"

    override fun open(bundle: Bundle, target: Target, contextLength: Int, threads: Int?): Engine {
        val base = bundle.manifest.base
        val width = if (target.kvType == "float16") Short.SIZE_BYTES else Float.SIZE_BYTES
        // The program keeps K/V for as many tokens as it was made for, however few are asked for.
        val numbers = 2L * base.layers * target.contextLength * base.kvHeads * base.headDim
        val maxRank = bundle.number(target, "max_rank")
        val model = bundle.model(target)
        return ExecutorchEngine(
            model,
            ModuleProgram(model, threads),
            base.vocabSize,
            contextLength,
            numbers * width,
            bundle.manifest.slots,
            maxRank,
        )
    }
}
