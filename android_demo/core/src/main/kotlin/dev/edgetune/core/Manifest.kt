package dev.edgetune.core

import java.io.File
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive

/** The version of `manifest.json` that is read here; an older or newer one is refused. */
internal const val SCHEMA_VERSION: Int = 3

/** No base has more: buffers are made by these numbers before a graph can contradict them. */
private const val MOST_TOKENS = 1 shl 24
private const val MOST_LAYERS = 1 shl 10

/** `needed_by` of a file that every engine needs. */
internal const val ANY: String = "any"

/**
 * `manifest.json`: what a bundle holds, for whom it was made and how to check it.
 *
 * Data only; the format is described in `docs/bundle.md`. A field that is not known here is refused.
 */
public class Manifest internal constructor(
    /** Version of edgetune that wrote the bundle. */
    public val edgetune: String,
    public val name: String,
    public val base: Base,
    internal val tokenizerSha256: String,
    internal val templateSha256: String,
    public val slots: List<Slot>,
    public val toolsets: List<ToolsetEntry>,
    /** The adapter that picks the toolset; null where the bare base does, or there is one toolset. */
    public val router: String?,
    public val adapters: List<Adapter>,
    public val targets: List<Target>,
    public val files: List<FileEntry>,
)

/** One file of a bundle: its path inside it, its size, its SHA-256 in hex, and who needs it. */
public class FileEntry internal constructor(
    public val path: String,
    public val bytes: Long,
    public val sha256: String,
    /** `any`, `verify`, `genai`, or the name of a target. */
    public val neededBy: String,
)

/** The one int4 base: where it came from, its shape, and the hash of its codes and scales. */
public class Base internal constructor(
    public val name: String,
    public val revision: String?,
    /** `llama`, `qwen2`, `qwen3`. */
    public val family: String,
    public val weightsSha256: String,
    public val bits: Int,
    public val embeddingBits: Int,
    public val groupSize: Int,
    public val vocabSize: Int,
    public val hiddenSize: Int,
    public val layers: Int,
    public val attentionHeads: Int,
    public val kvHeads: Int,
    public val headDim: Int,
    public val contextLength: Int,
    /** Token ids that end a generation. */
    public val endTokens: List<Int>,
)

/** A projection that takes LoRA: A is `[inFeatures, r]`, B is `[r, outFeatures]`. */
public class Slot internal constructor(
    /** `layers.{l}.{attn|mlp}.{projection}`. */
    public val name: String,
    public val inFeatures: Int,
    public val outFeatures: Int,
)

/** One delta blob. */
public class Adapter internal constructor(
    /** `<toolset>.selector`, `.monolithic`, `<toolset>.arguments.<tool>`, `router` or `skill`. */
    public val name: String,
    /** `selector`, `arguments`, `monolithic`, `router` or `skill`. */
    public val role: String,
    /** Null for the router, which picks among them. */
    public val toolset: String?,
    public val tool: String?,
    /** `lora`, or `alora`, which acts from its [invocation] on. */
    public val kind: String,
    public val invocation: List<Int>,
    public val rank: Int,
    /** What was folded into B. */
    public val scale: Double,
    public val rslora: Boolean,
    /** Path of the blob. */
    public val file: String,
    /** `float32` or `float16`: how the blob stores its numbers. */
    public val dtype: String,
    public val baseSha256: String,
    public val dataSha256: String,
    public val onnxAdapter: String?,
    /** What the logits of a selection are divided by for its probabilities. */
    public val selectionTemperature: Double,
    /** The base that it was begun on, another quantization perhaps; null where its first weights were random. */
    public val startBaseSha256: String?,
)

/** A toolset and the adapters that serve it; tools and prompts stand in their own files. */
public class ToolsetEntry internal constructor(
    public val name: String,
    public val description: String,
    internal val toolsSha256: String,
    public val selector: String?,
    /** Tool name to adapter name; a tool without parameters has none. */
    public val arguments: Map<String, String>,
    public val monolithic: String?,
    /** Tool name to the path of its automaton. */
    internal val grammars: Map<String, String>,
    /** Tool name to the parameters whose values are spans of the conversation. */
    internal val copied: Map<String, List<String>>,
)

/** One lowered form of the base. */
public class Target internal constructor(
    public val name: String,
    /** Path of the graph or program inside the bundle. */
    public val model: String,
    /** The most tokens that it reads. */
    public val contextLength: Int,
    /** What its keys and values are kept in: `float32` or `float16`. */
    public val kvType: String,
    public val options: Map<String, JsonPrimitive>,
)

/** The manifest that [value], read from [file], describes; its schema version is known to be ours. */
internal fun manifest(value: JsonElement, file: File): Manifest = Fields.read(file, value) {
    int("schema_version")
    Manifest(
        text("edgetune"),
        text("name"),
        obj("base") { base() },
        text("tokenizer_sha256"),
        text("template_sha256"),
        objects("slots") { Slot(text("name"), int("in_features"), int("out_features")) },
        objects("toolsets") { toolsetEntry() },
        ifThere("router", ::text),
        objects("adapters") { adapter() },
        objects("targets") { target() },
        objects("files") { FileEntry(text("path"), long("bytes"), text("sha256"), text("needed_by")) },
    ).also { require(it.targets.isNotEmpty()) { "it has no target" } }
}

private fun Fields.base() = Base(
    text("name"),
    ifThere("revision", ::text),
    text("family"),
    text("weights_sha256"),
    ifThere("bits", ::int) ?: 4,
    ifThere("embedding_bits", ::int) ?: 4,
    ifThere("group_size", ::int) ?: 32,
    size("vocab_size", MOST_TOKENS),
    size("hidden_size"),
    size("layers", MOST_LAYERS),
    size("attention_heads"),
    size("kv_heads"),
    size("head_dim"),
    size("context_length"),
    ints("end_tokens"),
)

private fun Fields.size(key: String, most: Int = Int.MAX_VALUE): Int =
    int(key).also { require(it in 1..most) { "'$key' is $it where 1 to $most was expected" } }

private fun Fields.toolsetEntry() = ToolsetEntry(
    text("name"),
    text("description"),
    text("tools_sha256"),
    ifThere("selector", ::text),
    map("arguments") { text(it) },
    ifThere("monolithic", ::text),
    map("grammars") { text(it) },
    ifThere("copied") { key -> map(key) { texts(it) } }.orEmpty(),
)

private fun Fields.adapter() = Adapter(
    text("name"),
    text("role"),
    ifThere("toolset", ::text),
    ifThere("tool", ::text),
    ifThere("kind", ::text) ?: "lora",
    ifThere("invocation", ::ints).orEmpty(),
    size("rank"),
    double("scale"),
    flag("rslora"),
    text("file"),
    ifThere("dtype", ::text) ?: "float32",
    text("base_sha256"),
    text("data_sha256"),
    ifThere("onnx_adapter", ::text),
    ifThere("selection_temperature", ::double) ?: 1.0,
    ifThere("start_base_sha256", ::text),
).also {
    val types = BLOB_TYPES.values.map { type -> type.manifest }
    require(it.dtype in types) { "'dtype' is '${it.dtype}', expected ${types.joinToString(" or ")}" }
    require((it.kind == "alora") == it.invocation.isNotEmpty()) {
        "'kind' and 'invocation' contradict each other"
    }
    require(it.selectionTemperature > 0 && it.selectionTemperature.isFinite()) {
        "'selection_temperature' is ${it.selectionTemperature}"
    }
}

private fun Fields.target() = Target(
    text("name"),
    text("model"),
    size("context_length"),
    ifThere("kv_type", ::text) ?: "float32",
    ifThere("options") { key -> map(key) { element(it) } }.orEmpty()
        .mapNotNull { (name, value) -> (value as? JsonPrimitive)?.let { name to it } }.toMap(),
)
