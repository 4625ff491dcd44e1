package dev.edgetune.demo.bundles

import dev.edgetune.core.EdgetuneException
import dev.edgetune.core.openBundle
import dev.edgetune.demo.ScriptedApp
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Files
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** Zips that were not packed by `edgetune export`, and bundles that only their opening tells to be bad. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
class HostileImportTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private val from get() = File(temporary.root, "from")
    private val zip get() = File(temporary.root, "phone.zip")
    private val secret get() = File(temporary.root, "secret")
    private lateinit var shelf: Shelf

    @Before
    fun shelve() {
        shelf = Shelf(File(temporary.root, "bundles"), File(temporary.root, "incoming"), null)
        secret.writeBytes(bundleFiles().getValue("onnx/model.onnx"))
    }

    private fun takeIn(source: Source = ZipSource(zip, "phone.zip"), check: (File) -> Unit = {}): String =
        source.use { Intake(shelf, listOf("onnx"), check, { 1L shl 40 }).take(it) { _, _ -> } }

    private fun refused(vararg words: String, takeIn: () -> Unit) {
        val error = assertThrows(EdgetuneException::class.java) { takeIn() }
        for (word in words) assertTrue("'${error.message}' lacks '$word'", word in error.message)
        assertTrue(error.message, error.message.endsWith(".") && '\n' !in error.message)
        assertFalse("'${error.message}' names a folder of the app", temporary.root.path in error.message)
        assertEquals(emptyList<String>(), shelf.names())
        assertEquals(0, File(temporary.root, "incoming").listFiles().orEmpty().size)
    }

    private fun ZipOutputStream.add(name: String, content: ByteArray) {
        putNextEntry(ZipEntry(name))
        write(content)
        closeEntry()
    }

    /** Packs [from], in which [links] are symbolic links to what their names are mapped to. */
    private fun pack(links: Map<String, String>) {
        ZipOutputStream(zip.outputStream()).use { out ->
            for (file in from.walk().filter { it.isFile }) {
                val name = file.relativeTo(from).path
                if (name !in links) out.add(name, file.readBytes())
            }
            for ((name, target) in links) out.add(name, target.encodeToByteArray())
        }
        zip.writeBytes(zip.readBytes().also { bytes -> links.keys.forEach { markAsLink(bytes, it) } })
    }

    /** As Info-ZIP's `zip --symlinks` does: made on Unix, the file's mode is a link's. */
    private fun markAsLink(zip: ByteArray, name: String) {
        val bytes = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN)
        val central = (0..zip.size - 46 - name.length).single {
            bytes.getInt(it) == 0x02014b50 && String(zip, it + 46, bytes.getShort(it + 28).toInt()) == name
        }
        zip[central + 5] = 3
        bytes.putInt(central + 38, 0xA1FF shl 16)
    }

    @Test
    fun `a link in a zip is not followed`() {
        writeBundle(from, "phone")
        pack(mapOf("onnx/model.onnx" to secret.path))
        refused("onnx/model.onnx", "bytes") { takeIn() }
    }

    @Test
    fun `a link to a folder in a zip leads no file there`() {
        writeBundle(from, "phone")
        pack(mapOf("onnx" to temporary.root.path))
        assertEquals("phone", takeIn())
        val taken = File(shelf.folderOf("phone"), "onnx")
        assertFalse(Files.isSymbolicLink(taken.toPath()))
        assertTrue(secret.readBytes().contentEquals(File(taken, "model.onnx").readBytes()))
        assertFalse(File(temporary.root, "model.onnx").exists())
    }

    @Test
    fun `a link that the manifest lists as a file becomes a file`() {
        writeBundle(from, "phone", bundleFiles() + ("onnx/model.onnx" to secret.path.encodeToByteArray()))
        pack(mapOf("onnx/model.onnx" to secret.path))
        val taken = File(shelf.folderOf(takeIn()), "onnx/model.onnx")
        assertFalse(Files.isSymbolicLink(taken.toPath()))
        assertEquals(secret.path, taken.readText())
    }

    @Test
    fun `a manifest of 100 MB, packed into 100 kB, is read no further than a manifest goes`() {
        ZipOutputStream(zip.outputStream()).use { out ->
            out.putNextEntry(ZipEntry(MANIFEST))
            repeat(100) { out.write(ByteArray(1 shl 20) { ' '.code.toByte() }) }
            out.closeEntry()
        }
        refused("manifest.json", "which none has") { takeIn() }
    }

    @Test
    fun `what opening refuses is refused when it is taken in`() {
        val blob = "adapters/phone_actions.selector.safetensors"
        val named = listOf("vocabulary.safetensors", "prompts.json", "names.json")
            .associateWith { "{}".encodeToByteArray() }
        val endless = ByteBuffer.allocate(40_000).order(ByteOrder.LITTLE_ENDIAN).putLong(1L shl 62).array()
        writeBundle(from, "phone", bundleFiles() + named + (blob to endless))
        val adapter = """{"name":"a","role":"selector","toolset":null,"tool":null,"rank":1,"scale":1,""" +
            """"rslora":false,"file":"$blob","base_sha256":"0","data_sha256":"0","onnx_adapter":null}"""
        val text = File(from, MANIFEST).readText().replace("\"adapters\":[]", "\"adapters\":[$adapter]")
        sign(from, text.encodeToByteArray())
        refused("phone_actions.selector.safetensors", "header") { takeIn(FolderSource(from), ::openBundle) }
        sign(from, text.replace("\"layers\":8", "\"layers\":2000000000").encodeToByteArray())
        refused("layers", "2000000000") { takeIn(FolderSource(from), ::openBundle) }
    }

    @Test
    fun `a zip of which any byte is another is refused in a sentence or is the same bundle`() {
        writeBundle(from, "phone", bundleFiles().mapValues { (_, content) -> content.copyOf(minOf(content.size, 500)) })
        pack(emptyMap())
        val whole = zip.readBytes()
        val random = Random(7)
        repeat(400) {
            val bytes = whole.copyOf(if (it % 4 == 0) random.nextInt(whole.size) else whole.size)
            if (bytes.isNotEmpty()) bytes[random.nextInt(bytes.size)] = random.nextInt().toByte()
            zip.writeBytes(bytes)
            try {
                shelf.remove(takeIn())
            } catch (error: EdgetuneException) {
                assertTrue(error.message, error.message.endsWith(".") && '\n' !in error.message)
            }
        }
        assertEquals(emptyList<String>(), shelf.names())
    }
}
