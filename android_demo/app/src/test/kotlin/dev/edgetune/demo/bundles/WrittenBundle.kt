package dev.edgetune.demo.bundles

import java.io.ByteArrayOutputStream
import java.io.File
import java.security.MessageDigest
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream
import org.json.JSONArray
import org.json.JSONObject

/** A folder with a true manifest over files that hold nothing of use: enough to be taken in and listed. */
fun writeBundle(
    folder: File,
    name: String,
    files: Map<String, ByteArray> = bundleFiles(),
    listed: (JSONArray) -> Unit = {},
): File {
    folder.mkdirs()
    for ((path, content) in files) File(folder, path).also { it.parentFile!!.mkdirs() }.writeBytes(content)
    val entries = JSONArray()
    for ((path, content) in files) {
        entries.put(entry(path, content.size.toLong(), sha256(content), TARGETS[path] ?: "any"))
    }
    listed(entries)
    val targets = files.keys.filter { it in TARGETS }
    sign(folder, manifest(name, targets, entries).toString().encodeToByteArray())
    return folder
}

/** A zip of the bundle in [folder], as a folder of it. */
fun zipped(folder: File): ByteArray {
    val bytes = ByteArrayOutputStream()
    ZipOutputStream(bytes).use { zip ->
        for (file in folder.walk().filter { it.isFile }) {
            zip.putNextEntry(ZipEntry("${folder.name}/" + file.relativeTo(folder).path))
            file.inputStream().use { it.copyTo(zip) }
            zip.closeEntry()
        }
    }
    return bytes.toByteArray()
}

/** Writes [manifest] with the digest that belongs to it. */
fun sign(folder: File, manifest: ByteArray) {
    File(folder, "manifest.json").writeBytes(manifest)
    File(folder, "manifest.sha256").writeText("${sha256(manifest)}  manifest.json\n")
}

fun entry(path: String, bytes: Long, sha256: String, needed: String = "any"): JSONObject =
    JSONObject().put("path", path).put("bytes", bytes).put("sha256", sha256).put("needed_by", needed)

fun sha256(content: ByteArray): String =
    MessageDigest.getInstance("SHA-256").digest(content).joinToString("") { "%02x".format(it) }

fun bundleFiles(): Map<String, ByteArray> = mapOf(
    "tools.json" to tools().toString().encodeToByteArray(),
    "tokenizer.json" to "{}".encodeToByteArray(),
    "adapters/phone_actions.selector.safetensors" to ByteArray(40_000) { (it * 7).toByte() },
    "onnx/model.onnx" to ByteArray(200_000) { it.toByte() },
)

/** The model of each engine. */
private val TARGETS = mapOf("onnx/model.onnx" to "onnx", "executorch/model.pte" to "executorch")

private fun tools(): JSONObject {
    val tools = dev.edgetune.demo.PHONE_TOOLS.map { JSONObject().put("function", JSONObject().put("name", it)) }
    val set = JSONObject().put("name", "phone_actions").put("tools", JSONArray(tools))
    return JSONObject().put("toolsets", JSONArray(listOf(set)))
}

private fun manifest(name: String, models: List<String>, files: JSONArray): JSONObject {
    val base = JSONObject().put("name", "nano").put("family", "llama").put("weights_sha256", "0")
    val heads = listOf("attention_heads", "kv_heads", "head_dim")
    for (size in heads + listOf("vocab_size", "hidden_size", "layers", "context_length")) base.put(size, 8)
    base.put("end_tokens", JSONArray(listOf(0)))
    val toolset = JSONObject().put("name", "phone_actions").put("description", "").put("tools_sha256", "0")
        .put("arguments", JSONObject()).put("grammars", JSONObject())
    val targets = models.map { JSONObject().put("name", TARGETS[it]).put("model", it).put("context_length", 8) }
    return JSONObject().put("schema_version", 3).put("edgetune", "0").put("name", name).put("base", base)
        .put("tokenizer_sha256", "0").put("template_sha256", "0").put("slots", JSONArray())
        .put("toolsets", JSONArray(listOf(toolset))).put("adapters", JSONArray())
        .put("targets", JSONArray(targets)).put("files", files)
}
