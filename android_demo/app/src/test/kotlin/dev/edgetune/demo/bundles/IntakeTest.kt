package dev.edgetune.demo.bundles

import dev.edgetune.core.BundleException
import dev.edgetune.core.EdgetuneException
import dev.edgetune.demo.ScriptedApp
import java.io.File
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import kotlin.random.Random
import org.json.JSONObject
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

/** What comes whole becomes a bundle; whatever else comes is refused in one sentence and leaves nothing. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
class IntakeTest {
    @get:Rule
    val temporary = TemporaryFolder()

    private lateinit var shelf: Shelf
    private lateinit var from: File
    private var checked = 0

    @Before
    fun shelve() {
        val (bundles, incoming, held) = listOf("bundles", "incoming", "held.sha256").map { File(temporary.root, it) }
        shelf = Shelf(bundles, incoming, held)
        from = File(temporary.root, "pushed")
    }

    private fun intake(free: Long = 1L shl 40) = Intake(shelf, listOf("onnx", "executorch"), { checked++ }, { free })

    private fun takeIn(source: Source = FolderSource(from), free: Long = 1L shl 40): String =
        source.use { intake(free).take(it) { _, _ -> } }

    private fun refused(vararg words: String, source: () -> Source = { FolderSource(from) }, free: Long = 1L shl 40) {
        val error = assertThrows(EdgetuneException::class.java) { takeIn(source(), free) }
        for (word in words) assertTrue("'${error.message}' lacks '$word'", word in error.message)
        assertTrue(error.message, error.message.endsWith(".") && '\n' !in error.message && error.message.length < 600)
        assertFalse("'${error.message}' names a folder of the app", temporary.root.path in error.message)
        assertEquals(emptyList<String>(), shelf.names())
        assertEquals("something was left", 0, File(temporary.root, "incoming").listFiles().orEmpty().size)
    }

    private fun zipped(name: String = "phone.zip", prefix: String = "", more: ZipOutputStream.() -> Unit = {}): File {
        val file = File(temporary.root, name)
        ZipOutputStream(file.outputStream()).use { zip ->
            for (each in from.walk().filter { it.isFile }) {
                zip.add(prefix + each.relativeTo(from).path, each.readBytes())
            }
            zip.more()
        }
        return file
    }

    private fun ZipOutputStream.add(name: String, content: ByteArray) {
        putNextEntry(ZipEntry(name))
        write(content)
        closeEntry()
    }

    @Test
    fun `a whole folder becomes a bundle with all that the engine needs and no more`() {
        val unneeded = entry("reference/logits.safetensors", 5, "0", "verify")
        writeBundle(from, "my phone", bundleFiles(), listed = { it.put(unneeded) })
        val told = ArrayList<Pair<Long, Long>>()
        val name = intake().take(FolderSource(from)) { done, all -> told += done to all }
        assertEquals("my_phone", name)
        val taken = shelf.folderOf(name)
        val paths = taken.walk().filter { it.isFile }.map { it.relativeTo(taken).path }
        assertEquals(bundleFiles().keys + MANIFEST + DIGEST, paths.toSet())
        for ((path, content) in bundleFiles()) assertTrue(path, content.contentEquals(File(taken, path).readBytes()))
        assertEquals(bundleFiles().values.sumOf { it.size.toLong() }.let { it to it }, told.last())
        assertEquals(told.map { it.first }, told.map { it.first }.sorted())
        assertEquals(1, checked)
    }

    @Test
    fun `of a bundle for two engines the preferred one's files are taken, or those that a part of it has`() {
        val both = bundleFiles() + ("executorch/model.pte" to byteArrayOf(1, 2, 3))
        fun taken(): List<String> = shelf.folderOf(takeIn()).walk().filter { it.isFile }.map { it.name }.toList()
        writeBundle(from, "phone", both)
        assertTrue("model.onnx" in taken())
        assertFalse("model.pte" in taken())
        shelf.remove("phone")
        File(from, "onnx/model.onnx").delete()
        assertTrue("model.pte" in taken())
        from.deleteRecursively()
        writeBundle(from, "alone", both - "onnx/model.onnx")
        assertTrue("model.pte" in taken())
    }

    @Test
    fun `a zip becomes the same, with the bundle at its top or in its folder`() {
        writeBundle(from, "phone")
        assertEquals("phone", takeIn(ZipSource(zipped(), "phone.zip")))
        assertEquals("phone", takeIn(ZipSource(zipped(prefix = "phone/"), "phone.zip")))
        assertEquals(listOf("phone"), shelf.names())
    }

    @Test
    fun `what is held is told by hash, so that a computer need not push it again`() {
        writeBundle(from, "phone")
        takeIn()
        val held = File(temporary.root, "held.sha256").readLines()
        for ((path, content) in bundleFiles()) assertTrue(path, "${sha256(content)}  $path" in held)
        assertTrue("${sha256(File(from, MANIFEST).readBytes())}  $MANIFEST" in held)
        File(from, "onnx/model.onnx").delete()
        assertEquals("phone", takeIn())
        shelf.remove("phone")
        assertEquals("", File(temporary.root, "held.sha256").readText())
    }

    @Test
    fun `a new version takes the place of the old one whole`() {
        writeBundle(from, "phone")
        takeIn()
        from.deleteRecursively()
        writeBundle(from, "phone", bundleFiles() - "adapters/phone_actions.selector.safetensors")
        takeIn()
        assertFalse(File(shelf.folderOf("phone"), "adapters").exists())
    }

    @Test
    fun `every file that is cut short, changed or missing is named`() {
        writeBundle(from, "phone")
        for ((path, content) in bundleFiles()) {
            val file = File(from, path)
            file.writeBytes(content.copyOf(content.size - 1))
            refused(path, "bytes")
            file.writeBytes(content + 1)
            refused(path, "more than")
            file.writeBytes(content.copyOf().also { it[0] = (it[0] + 1).toByte() })
            refused(path, "SHA-256 differs")
            file.delete()
            refused(path, "lacks")
            file.writeBytes(content)
        }
    }

    @Test
    fun `a manifest that is none is refused`() {
        refused("has no manifest.json")
        writeBundle(from, "phone")
        val whole = File(from, MANIFEST).readBytes()
        for (cut in listOf(0, 1, whole.size / 2, whole.size - 1)) {
            File(from, MANIFEST).writeBytes(whole.copyOf(cut))
            refused("manifest")
            sign(from, whole.copyOf(cut))
            refused("manifest")
        }
        sign(from, "[".repeat(100_000).encodeToByteArray())
        refused("manifest")
        File(from, MANIFEST).writeBytes(ByteArray((8 shl 20) + 1))
        refused("manifest.json", "which none has")
        File(from, MANIFEST).writeBytes(whole)
        File(from, DIGEST).writeText("0".repeat(64) + "  manifest.json\n")
        refused("SHA-256")
        File(from, DIGEST).delete()
        refused("has no manifest.sha256")
    }

    @Test
    fun `names that lead out are refused and nothing is written there`() {
        val leading = listOf("../out", "/tmp/out", "a/../../out", "a\\..\\out", "./a", "a//b", "a\u0000b")
        for (path in leading + "x".repeat(600)) {
            from.deleteRecursively()
            writeBundle(from, "phone", bundleFiles(), listed = { it.put(entry(path, 3, "0")) })
            refused("leads out of the bundle")
        }
        assertFalse(File(temporary.root, "out").exists())
        assertFalse(File("/tmp/out").exists())
    }

    @Test
    fun `sizes that are none, files listed twice, and another engine's bundle are refused`() {
        fun with(entry: JSONObject) {
            from.deleteRecursively()
            writeBundle(from, "phone", bundleFiles(), listed = { it.put(entry) })
        }
        with(entry("huge", Long.MAX_VALUE, "0"))
        refused("sizes")
        with(entry("less", -1, "0"))
        refused("sizes")
        with(entry("Tools.json", 3, "0"))
        refused("twice")
        with(entry(MANIFEST, 3, "0"))
        refused("twice")
        with(entry("large", 1L shl 41, "0"))
        refused("room", free = 1L shl 30)
        from.deleteRecursively()
        writeBundle(from, "phone")
        val manifest = File(from, MANIFEST).readText().replace("\"name\":\"onnx\"", "\"name\":\"qnn\"")
        sign(from, manifest.encodeToByteArray())
        refused("made for [qnn]")
    }

    @Test
    fun `a zip that leads out, doubles a name or is none is refused`() {
        writeBundle(from, "phone")
        for (name in listOf("../out", "/out", "a/../../out", "C:\\out")) {
            val zip = zipped { add(name, byteArrayOf(1)) }
            refused("phone.zip", source = { ZipSource(zip, "phone.zip") })
        }
        assertFalse(File(temporary.root, "out").exists())
        val doubled = zipped { add("onnx/modem.onnx", byteArrayOf(1)) }
        doubled.writeBytes(doubled.readBytes().replaced("onnx/modem.onnx", "onnx/model.onnx"))
        refused("phone.zip", source = { ZipSource(doubled, "phone.zip") })
        val none = File(temporary.root, "none.zip")
        for (content in listOf(ByteArray(0), ByteArray(100), zipped().readBytes().copyOf(500))) {
            none.writeBytes(content)
            refused("none.zip", source = { ZipSource(none, "none.zip") })
        }
        ZipOutputStream(none.outputStream()).use { it.add("readme.txt", byteArrayOf(1)) }
        refused("has no manifest.json", source = { ZipSource(none, "none.zip") })
    }

    @Test
    fun `a bomb is read no further than its manifest says`() {
        writeBundle(from, "phone")
        val zip = File(temporary.root, "bomb.zip")
        ZipOutputStream(zip.outputStream()).use { out ->
            for (name in listOf(MANIFEST, DIGEST)) out.add(name, File(from, name).readBytes())
            for ((path, content) in bundleFiles() - "onnx/model.onnx") out.add(path, content)
            out.putNextEntry(ZipEntry("onnx/model.onnx"))
            repeat(200) { out.write(ByteArray(1 shl 20)) }
            out.closeEntry()
        }
        var most = 0L
        val source = ZipSource(zip, "bomb.zip")
        assertThrows(BundleException::class.java) {
            source.use { intake().take(it) { done, _ -> most = maxOf(most, done) } }
        }
        assertTrue("$most bytes were written", most < 1 shl 20)
    }

    @Test
    fun `a link in a pushed folder does not lead out`() {
        writeBundle(from, "phone")
        val secret = File(temporary.root, "secret").apply { writeBytes(bundleFiles().getValue("tokenizer.json")) }
        val linked = File(from, "tokenizer.json").apply { delete() }
        java.nio.file.Files.createSymbolicLink(linked.toPath(), secret.toPath())
        refused("tokenizer.json")
    }

    @Test
    fun `what breaks off leaves nothing`() {
        writeBundle(from, "phone")
        val error = assertThrows(IllegalStateException::class.java) {
            intake().take(FolderSource(from)) { done, _ -> check(done < 100_000) { "pulled" } }
        }
        assertEquals("pulled", error.message)
        assertEquals(emptyList<String>(), shelf.names())
        assertEquals(0, File(temporary.root, "incoming").listFiles().orEmpty().size)
    }

    @Test
    fun `a manifest with any byte changed is refused or is the same`() {
        writeBundle(from, "phone")
        val whole = File(from, MANIFEST).readBytes()
        val random = Random(20)
        repeat(300) {
            val changed = whole.copyOf()
            repeat(random.nextInt(1, 4)) { changed[random.nextInt(changed.size)] = random.nextInt().toByte() }
            sign(from, changed)
            try {
                shelf.remove(takeIn())
            } catch (error: EdgetuneException) {
                assertTrue(error.message, error.message.endsWith("."))
            }
        }
        assertEquals(emptyList<String>(), shelf.names())
    }

    private fun ByteArray.replaced(old: String, new: String): ByteArray {
        val text = String(this, Charsets.ISO_8859_1)
        return text.replace(old, new).toByteArray(Charsets.ISO_8859_1)
    }
}
