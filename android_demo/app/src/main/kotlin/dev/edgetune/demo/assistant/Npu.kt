package dev.edgetune.demo.assistant

import android.content.Context
import android.os.Build
import android.system.Os
import dev.edgetune.core.EngineFactory
import dev.edgetune.onnx.QnnEngines
import java.io.File

/** Engines on a Snapdragon's NPU, where this app was built with its library (flavour `qnn`); null elsewhere. */
fun npuEngines(context: Context): EngineFactory? {
    val natives = context.applicationInfo.nativeLibraryDir
    if (!File(natives, "libQnnHtp.so").isFile) return null
    // The NPU's side of the library is loaded by a loader of its own, which looks here alone.
    Os.setenv("ADSP_LIBRARY_PATH", natives, true)
    return QnnEngines(chip())
}

/** Before Android 12 a phone does not say which chip it has; it is told so when a bundle is opened. */
private fun chip(): String =
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) Build.SOC_MODEL else Build.HARDWARE
