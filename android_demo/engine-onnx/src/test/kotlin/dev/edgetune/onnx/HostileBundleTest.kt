package dev.edgetune.onnx

import dev.edgetune.core.Agent
import dev.edgetune.core.EdgetuneException
import dev.edgetune.core.openBundle
import dev.edgetune.core.openEngine
import java.io.File
import java.io.RandomAccessFile
import java.nio.file.Files
import java.security.MessageDigest
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Whatever is wrong with a bundle is one sentence that names the file, and never a crash. */
class HostileBundleTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private lateinit var folder: File

    @Before
    fun copy() {
        val from = givenFolder()
        folder = File(temporary.root, "bundle")
        for (entry in givenBundle.manifest.files.filter { it.neededBy in setOf("any", "onnx") }) {
            val target = File(folder, entry.path)
            target.parentFile.mkdirs()
            File(from, entry.path).copyTo(target)
        }
        for (name in listOf("manifest.json", "manifest.sha256")) File(from, name).copyTo(File(folder, name))
    }

    private fun refused(vararg words: String) {
        val error = assertThrows(EdgetuneException::class.java) {
            val bundle = openBundle(folder)
            bundle.openEngine(OnnxEngines, threads = 1, contextLength = 64).close()
        }
        for (word in words) assertTrue("'${error.message}' lacks '$word'", word in error.message)
        assertTrue(error.message, '\n' !in error.message && error.message.endsWith("."))
    }

    /** Changes the manifest's text, and its digest with it. */
    private fun manifest(change: (String) -> String) {
        val file = File(folder, "manifest.json")
        val text = change(file.readText())
        file.writeText(text)
        val digest = MessageDigest.getInstance("SHA-256").digest(text.encodeToByteArray())
        val hex = digest.joinToString("") { "%02x".format(it) }
        File(folder, "manifest.sha256").writeText("$hex  manifest.json\n")
    }

    /** Changes a file and everything that the manifest says of it. */
    private fun resigned(path: String, change: (ByteArray) -> ByteArray) {
        val file = File(folder, path)
        val old = givenBundle.manifest.files.first { it.path == path }
        val content = change(file.readBytes())
        file.writeBytes(content)
        val hex = MessageDigest.getInstance("SHA-256").digest(content).joinToString("") { "%02x".format(it) }
        manifest { text ->
            val entry = text.substringAfter("\"path\": \"$path\"").substringBefore("}")
            val told = entry.replace(old.sha256, hex).replace(": ${old.bytes}", ": ${content.size}")
            check(old.sha256 in entry) { "the manifest says nothing of $path" }
            text.replace("\"path\": \"$path\"$entry", "\"path\": \"$path\"$told")
        }
    }

    @Test
    fun `the copy itself is whole`() {
        Agent(openBundle(folder), openBundle(folder).openEngine(OnnxEngines, 1, 64)).close()
    }

    @Test
    fun `an adapter may say on which base it was begun`() {
        val theirs = "f".repeat(64)
        manifest { it.replaceFirst("\"base_sha256\":", "\"start_base_sha256\": \"$theirs\", \"base_sha256\":") }
        assertEquals(theirs, openBundle(folder).manifest.adapters.first().startBaseSha256)
        manifest { it.replaceFirst("\"$theirs\"", "7") }
        refused("start_base_sha256", "a text")
    }

    @Test
    fun `every file that is cut short is named`() {
        for (entry in givenBundle.manifest.files.filter { it.neededBy in setOf("any", "onnx") }) {
            val file = File(folder, entry.path)
            val whole = file.readBytes()
            RandomAccessFile(file, "rw").use { it.setLength(entry.bytes / 2) }
            refused(file.name, "bytes")
            file.writeBytes(whole)
        }
    }

    @Test
    fun `every file of which a bit is another is named`() {
        for (entry in givenBundle.manifest.files.filter { it.neededBy in setOf("any", "onnx") && it.bytes > 0 }) {
            val file = File(folder, entry.path)
            val whole = file.readBytes()
            file.writeBytes(whole.copyOf().also { it[whole.size / 2] = (it[whole.size / 2].toInt() xor 1).toByte() })
            refused(file.name, "SHA-256")
            file.writeBytes(whole)
        }
    }

    @Test
    fun `a missing file is named`() {
        File(folder, "names.json").delete()
        refused("names.json", "lacks")
    }

    @Test
    fun `a folder without a manifest is no bundle`() {
        File(folder, "manifest.json").delete()
        refused("no bundle")
    }

    @Test
    fun `a manifest with another digest is refused`() {
        File(folder, "manifest.json").appendText(" ")
        refused("manifest.sha256")
    }

    @Test
    fun `a manifest of 100 MB is refused unread`() {
        RandomAccessFile(File(folder, "manifest.json"), "rw").use { it.setLength(100L shl 20) }
        refused("manifest.json", "bytes")
    }

    @Test
    fun `another schema version is refused`() {
        manifest { it.replace("\"schema_version\": 3", "\"schema_version\": 99") }
        refused("schema version 99")
    }

    @Test
    fun `a path that leaves the bundle is refused`() {
        manifest { it.replace("\"names.json\"", "\"../names.json\"") }
        refused("leaves the bundle")
    }

    @Test
    fun `a link that leaves the bundle is refused`() {
        val file = File(folder, "names.json")
        val outside = File(temporary.root, "names.json")
        file.copyTo(outside)
        file.delete()
        Files.createSymbolicLink(file.toPath(), outside.toPath())
        refused("leaves the bundle")
    }

    @Test
    fun `a vocabulary of another size than the graph's is refused`() {
        val size = givenBundle.manifest.base.vocabSize
        manifest { it.replace("\"vocab_size\": $size", "\"vocab_size\": ${size - 1000}") }
        refused("${size - 1000}")
    }

    @Test
    fun `a graph that gives other logits than the base has is refused`() {
        val size = givenBundle.manifest.base.vocabSize
        manifest { it.replace("\"vocab_size\": $size", "\"vocab_size\": ${size + 1000}") }
        refused("model.onnx", "logits", "${size + 1000}")
    }

    @Test
    fun `sizes that no base has make no buffer`() {
        for (key in listOf("vocab_size", "layers", "kv_heads", "head_dim")) {
            manifest { it.replaceFirst(Regex("\"$key\": \\d+"), "\"$key\": 2000000000") }
            refused(if (key in setOf("vocab_size", "layers")) key else "MB")
            File(givenFolder(), "manifest.json").copyTo(File(folder, "manifest.json"), overwrite = true)
        }
    }

    @Test
    fun `a blob whose header says 2^62 bytes is refused`() {
        val blob = givenBundle.manifest.adapters.first().file
        resigned(blob) { whole -> whole.copyOf().also { it[7] = 0x40 } }
        refused(File(blob).name, "header")
    }

    @Test
    fun `an adapter of another base is refused`() {
        val base = givenBundle.manifest.base.weightsSha256
        manifest { it.replaceFirst(base, "0".repeat(64)) }
        refused("trained on")
    }

    @Test
    fun `a slot of another shape is refused`() {
        val slot = givenBundle.manifest.slots.first()
        manifest { it.replaceFirst("\"in_features\": ${slot.inFeatures}", "\"in_features\": ${slot.inFeatures + 1}") }
        refused("lora_A", "shape")
    }

    @Test
    fun `any bytes in any file that is read are refused in a sentence or harmless`() {
        val random = Random(5)
        val files = givenBundle.manifest.files.filter { it.neededBy == "any" && it.bytes < 1 shl 20 }
        repeat(ROUNDS) {
            val entry = files[random.nextInt(files.size)]
            resigned(entry.path) { whole ->
                whole.copyOf().also { bytes ->
                    repeat(random.nextInt(1, 4)) {
                        bytes[random.nextInt(minOf(bytes.size, 4096))] = random.nextInt().toByte()
                    }
                }
            }
            try {
                openBundle(folder)
            } catch (error: EdgetuneException) {
                assertTrue(error.message, '\n' !in error.message && error.message.endsWith("."))
            }
            File(givenFolder(), entry.path).copyTo(File(folder, entry.path), overwrite = true)
            for (name in listOf("manifest.json", "manifest.sha256")) {
                File(givenFolder(), name).copyTo(File(folder, name), overwrite = true)
            }
        }
        assertEquals(givenBundle.manifest.name, openBundle(folder).manifest.name)
    }

    private companion object {
        const val ROUNDS = 150
    }
}
