package dev.edgetune.demo.assistant

import dalvik.system.BaseDexClassLoader
import dev.edgetune.core.EngineFactory
import dev.edgetune.core.Manifest
import dev.edgetune.executorch.ExecutorchEngines
import dev.edgetune.onnx.OnnxEngines

/** An engine of this app, and the library that it cannot do without. */
private class Known(val factory: EngineFactory, val library: String)

/** The preferred one first. */
private val KNOWN = listOf(
    Known(OnnxEngines, "onnxruntime4j_jni"),
    Known(ExecutorchEngines, "executorch"),
)

/** The engines whose natives [loader] finds, the preferred one first; all of them where it finds none. */
fun packedEngines(loader: ClassLoader?): List<EngineFactory> {
    val packed = KNOWN.filter { (loader as? BaseDexClassLoader)?.findLibrary(it.library) != null }
    return packed.ifEmpty { KNOWN }.map { it.factory }
}

/**
 * Which of [engines], in this order, a bundle runs on: the first one whose model [isThere], since a part
 * of a bundle has one engine's files alone. Null where it is made for none of them.
 */
fun engineFor(manifest: Manifest, engines: List<String>, isThere: (path: String) -> Boolean): String? {
    val made = engines.mapNotNull { name -> manifest.targets.firstOrNull { it.name == name } }
    return (made.firstOrNull { isThere(it.model) } ?: made.firstOrNull())?.name
}
