package dev.edgetune.onnx

import dev.edgetune.core.Bundle
import dev.edgetune.core.openBundle
import java.io.File
import org.junit.Assume.assumeTrue

/** The bundle that `-Dedgetune.bundle` names, checked once; tests that need one are skipped without. */
internal val givenBundle: Bundle by lazy { openBundle(givenFolder()) }

internal fun givenFolder(): File = given("edgetune.bundle")

/** The folder of vectors that `-Dedgetune.vectors` names. */
internal fun givenVectors(): File = given("edgetune.vectors")

/** The folder that `-Dedgetune.uncompiled` names, as `uncompiled.py` writes it. */
internal fun givenUncompiled(): File = given("edgetune.uncompiled")

private fun given(property: String): File {
    val name = System.getProperty(property)
    assumeTrue("-D$property is not given", name != null)
    return File(name)
}
