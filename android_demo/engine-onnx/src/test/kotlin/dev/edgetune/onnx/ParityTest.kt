package dev.edgetune.onnx

import dev.edgetune.core.Parity
import dev.edgetune.core.openEngine
import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Test

/** This runtime does as the golden vectors say that Python's does, on the same ONNX Runtime. */
class ParityTest {
    private fun read(name: String): JsonObject =
        Json.parseToJsonElement(File(givenVectors(), name).readText()).jsonObject

    private fun JsonObject.entries(name: String): List<JsonObject> =
        (getValue(name) as JsonArray).map { it.jsonObject }

    @Test
    fun `no vector differs`() {
        val golden = read("golden.json")
        val other = read("tokens.json")
        val parity = Parity(givenBundle)
        parity.tokens(golden.entries("tokens"))
        parity.tokens(other.entries("tokens"), File(other.getValue("tokenizer").jsonPrimitive.content))
        parity.prompts(golden.entries("prompts"))
        parity.masks(golden.entries("masks"))
        givenBundle.openEngine(OnnxEngines, threads = 1).let { engine ->
            parity.withEngine(engine) {
                selections(golden.entries("selections"))
                runs(golden.entries("steps"))
                replies(golden.entries("replies"))
            }
        }
        File("../build/parity.json").apply { parentFile.mkdirs() }.writeText(parity.report())
        assertEquals(emptyList<String>(), parity.differences.take(20))
    }
}
