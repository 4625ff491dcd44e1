package dev.edgetune.executorch

import dev.edgetune.core.BundleException
import java.io.Closeable
import java.io.File
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module

/** What an engine needs of ExecuTorch: the one method of a program. A test has its own. */
internal interface Program : Closeable {
    /** Runs `forward` on [inputs], whose buffers it reads where they lie; a copy of the first output. */
    fun forward(inputs: Array<EValue>): FloatArray
}

/** A `.pte`, mapped. [threads] null is ExecuTorch's choice; its threads are those of the process. */
internal class ModuleProgram(private val model: File, threads: Int?) : Program {
    private val module = try {
        Module.load(model.path, Module.LOAD_MODE_MMAP, threads ?: 0).also { loaded ->
            // Earlier releases return a code, later ones nothing: they throw.
            val told: Any = loaded.loadMethod("forward")
            if (told is Int && told != 0) throw unloadable("error $told at 'forward'")
        }
    } catch (error: RuntimeException) {
        throw unloadable(error.summary, error)
    }

    private fun unloadable(why: String, cause: Throwable? = null) = BundleException(
        "$model: ExecuTorch cannot load it ($why); export the bundle again for this release of ExecuTorch.",
        cause,
    )

    override fun forward(inputs: Array<EValue>): FloatArray =
        module.forward(*inputs).first().toTensor().dataAsFloatArray

    override fun close(): Unit = module.destroy()
}

/** What went wrong, without the log that ExecuTorch writes below it. */
internal val Throwable.summary: String get() = message.orEmpty().lineSequence().first().ifEmpty { toString() }
