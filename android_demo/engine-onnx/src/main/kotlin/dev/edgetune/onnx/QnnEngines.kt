package dev.edgetune.onnx

import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import dev.edgetune.core.Bundle
import dev.edgetune.core.Engine
import dev.edgetune.core.EngineFactory
import dev.edgetune.core.InputException
import dev.edgetune.core.Target

/** Where the provider finds Qualcomm's own library, beside the app's. */
private const val BACKEND = "libQnnHtp.so"

/** A model of Qualcomm's chips, of which `Build.SOC_MODEL` may say more: `SM8750P`, `SM8550-AC`. */
private val MODEL = Regex("^sm\\d{4}")

/**
 * Engines on the NPU of the phone's chip, for the target `qnn`.
 *
 * [soc] is the chip, as `Build.SOC_MODEL` has it: a bundle holds graphs for each chip that it was compiled
 * for. [provider] is what a session gets to run them; graphs before compilation need none.
 */
public class QnnEngines(
    private val soc: String,
    private val provider: (OrtSession.SessionOptions) -> Unit = ::addNpu,
) : EngineFactory {
    override val name: String = "qnn"

    override fun open(bundle: Bundle, target: Target, contextLength: Int, threads: Int?): Engine {
        val chip = chip(bundle, target)
        val files = listOf("embedding.onnx", "$chip/prefill.onnx", "$chip/decode.onnx")
            .map { bundle.file(target, "qnn/$it") }
        return QnnEngine.open(files, bundle.manifest, contextLength, threads, provider)
    }

    private fun chip(bundle: Bundle, target: Target): String {
        val chips = target.options["socs"]?.content.orEmpty().split(',')
        val chip = MODEL.find(soc.lowercase())?.value
        return chips.firstOrNull { it == chip } ?: throw InputException(
            "${bundle.folder}: is compiled for ${chips.joinToString(" and ")}, and this phone's chip is " +
                "'$soc'; export it with that chip among its --soc, or with --target onnx.",
        )
    }
}

private fun addNpu(options: OrtSession.SessionOptions) {
    try {
        options.addQnn(mapOf("backend_path" to BACKEND))
    } catch (error: OrtException) {
        throw InputException(
            "The ONNX Runtime of this app has no provider for NPUs (${error.message}); build its flavour 'qnn'.",
            error,
        )
    }
}
