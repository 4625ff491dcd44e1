package dev.edgetune.core

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class SafetensorsTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val file get() = File(folder.root, "a.safetensors")

    private fun refused(vararg words: String, header: String, data: Int = 4, length: Long? = null) {
        safetensors(file, header, ByteArray(data), length)
        assertRefused<BundleException>("a.safetensors", *words) { readSafetensors(file, "blob") }
    }

    @Test
    fun `tensors lie as they were written, metadata beside them`() {
        safetensors(
            file,
            """{"__metadata__":{"rank":"2"},"n":{"dtype":"U32","shape":[2],"data_offsets":[0,8]}}""",
            little(8) { putInt(7).putInt(-1) },
        )
        val read = readSafetensors(file, "blob")
        assertEquals(listOf(7, UNREACHABLE), read.tensors.getValue("n").ints().toList())
        assertEquals(mapOf("rank" to "2"), read.metadata)
    }

    @Test
    fun `a header of 2^62 bytes is not believed`() = refused("header", header = "{}", length = 1L shl 62)

    @Test
    fun `a negative length is not believed`() = refused("header", header = "{}", length = -1)

    @Test
    fun `an empty file has no header`() {
        file.writeBytes(ByteArray(0))
        assertRefused<BundleException>("a.safetensors") { readSafetensors(file, "blob") }
    }

    @Test
    fun `a header that is no JSON is refused`() = refused("cannot be read", header = "{\"n\":")

    @Test
    fun `a header that nests without end is refused`() =
        refused("nests", header = "{\"n\":" + "[".repeat(100_000))

    @Test
    fun `a tensor that reaches past the end is refused`() =
        refused("ends at", header = """{"n":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}""")

    @Test
    fun `a tensor that ends before it begins is refused`() =
        refused("ends at", header = """{"n":{"dtype":"U8","shape":[1],"data_offsets":[3,2]}}""")

    @Test
    fun `a shape whose product overflows is refused`() = refused(
        "contradicts",
        header = """{"n":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""",
    )

    @Test
    fun `a negative side is refused`() =
        refused("contradicts", header = """{"n":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}""")

    @Test
    fun `a type that is not known is refused`() =
        refused("no numbers", header = """{"n":{"dtype":"I4","shape":[4],"data_offsets":[0,4]}}""")

    @Test
    fun `data that no tensor describes is refused`() =
        refused("describes", header = """{"n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""")
}
