package dev.edgetune.core

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Test

class JsonTest {
    private val file = File("x.json")

    private fun parse(text: String) = parseJson(text.encodeToByteArray(), file)

    @Test
    fun `JSON is written as Python writes it without spaces`() {
        val text = """{"a":"é\"\\\n\u0001\u007f","b":[1,2.50,null,true,{}]}"""
        assertEquals(
            "{\"a\":\"é\\\"\\\\\\n\\u0001\u007f\",\"b\":[1,2.50,null,true,{}]}",
            compactJson(parse(text.replace("\\u007f", "\u007f"))),
        )
    }

    @Test
    fun `what is no JSON is one sentence`() {
        assertRefused<BundleException>("x.json") { parse("{") }
        assertRefused<BundleException>("x.json", "nests") { parse("[".repeat(100_000)) }
        assertRefused<BundleException>("x.json") { parseJson(byteArrayOf(0x22, 0xff.toByte(), 0x22), file) }
    }

    @Test
    fun `a field that is missing, of another type or unknown is named with its place`() {
        fun read(text: String) = Fields.read(file, parse(text)) { objects("list") { int("n") } }
        assertEquals(listOf(1), read("""{"list":[{"n":1}]}"""))
        assertRefused<BundleException>("list[0].n", "missing") { read("""{"list":[{}]}""") }
        assertRefused<BundleException>("list[1].n", "whole number") { read("""{"list":[{"n":1},{"n":"2"}]}""") }
        assertRefused<BundleException>("list[0].m", "not known") { read("""{"list":[{"n":1,"m":2}]}""") }
        assertRefused<BundleException>("list", "object") { read("""{"list":[7]}""") }
    }

    @Test
    fun `a path that leaves the bundle is refused`() {
        for (path in listOf("../x", "/etc/passwd", "a/../../x", "", "a\\b", "\u0000")) {
            assertRefused<BundleException>("leaves") { inside(File("."), path) }
        }
    }
}
