package dev.edgetune.onnx

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtLoggingLevel
import ai.onnxruntime.OrtSession
import dev.edgetune.core.BundleException
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A session on the graph in [model], with what [provider] adds; [threads] null is ONNX Runtime's own choice. */
internal fun openSession(
    model: File,
    threads: Int?,
    provider: (OrtSession.SessionOptions) -> Unit = {},
): OrtSession = OrtSession.SessionOptions().use { options ->
    // Without it, each slot that is left out is a warning at every session.
    options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR)
    if (threads != null) options.setIntraOpNumThreads(threads)
    provider(options)
    try {
        OrtEnvironment.getEnvironment().createSession(model.path, options)
    } catch (error: OrtException) {
        throw unloadable(model, error)
    }
}

internal fun unloadable(model: File, error: OrtException) = BundleException(
    "$model: ONNX Runtime cannot load it (${said(error)}); export the bundle again.",
    error,
)

internal fun failed(model: File, tokens: Int, position: Int, error: OrtException) = BundleException(
    "$model: ONNX Runtime fails at $tokens tokens from position $position on (${said(error)}); export the " +
        "bundle again.",
    error,
)

/** What ONNX Runtime complains of, in one line of a length that can be read. */
private fun said(error: OrtException): String = error.message.orEmpty().lineSequence().first().take(MOST_LETTERS)

private const val MOST_LETTERS = 300

/** [bytes] of native memory, all zero. */
internal fun direct(bytes: Int): ByteBuffer =
    ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

/** A buffer for so many numbers as [shape] has, all zero, and the tensor that ONNX Runtime sees it as. */
internal class Floats(vararg shape: Long) {
    val numbers = direct(Math.toIntExact(shape.fold(Float.SIZE_BYTES.toLong(), Math::multiplyExact))).asFloatBuffer()
    val tensor: OnnxTensor = OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), numbers, shape)
}

/** The same, of whole numbers. */
internal class Longs(vararg shape: Long) {
    val numbers = direct(Math.toIntExact(shape.fold(Long.SIZE_BYTES.toLong(), Math::multiplyExact))).asLongBuffer()
    val tensor: OnnxTensor = OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), numbers, shape)
}
