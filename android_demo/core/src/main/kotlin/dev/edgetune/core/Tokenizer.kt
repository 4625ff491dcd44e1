package dev.edgetune.core

import java.io.File
import java.text.Normalizer
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/**
 * Text to token ids as `tokenizer.json` says, for byte-level BPE.
 *
 * The text is cut at added tokens, normalized, split into words (`PreTokenizer.kt`), and each word's
 * bytes are merged (`Bpe.kt`). Nothing is put around it: prompts say themselves what begins them. It
 * has no decoder: the bytes of ids are the [Vocabulary]'s.
 */
internal class Tokenizer private constructor(
    private val added: List<AddedToken>,
    private val composes: Boolean,
    private val splitters: List<Splitter>,
    private val bpe: Bpe,
) {
    private val raw = Marks(added.filter { !it.normalized })
    private val normalized = Marks(added.filter { it.normalized })

    /** How many ids there are, added tokens included. */
    val size: Int = bpe.size + added.count { it.id !in bpe }

    /** The least and the largest of them. */
    val range: IntRange = (added.map { it.id } + bpe.ids).let { (it.minOrNull() ?: 0)..(it.maxOrNull() ?: 0) }

    /** The token ids of [text]. */
    fun encode(text: String): IntArray {
        val ids = IntList(text.length / 2 + 8)
        raw.cut(text, ids) { outside ->
            val composed = if (composes) Normalizer.normalize(outside, Normalizer.Form.NFC) else outside
            normalized.cut(composed, ids) { words(it, ids) }
        }
        return ids.toIntArray()
    }

    private fun words(text: String, ids: IntList) {
        var pieces = listOf(text)
        for (splitter in splitters) pieces = pieces.flatMap(splitter::split)
        for (piece in pieces) bpe.encode(piece, ids)
    }

    companion object {
        /** The tokenizer in [file]. Throws [BundleException] for one of a kind that is not known here. */
        fun read(file: File): Tokenizer {
            try {
                return Fields.read(file, readJson(file), strict = false) {
                    Tokenizer(
                        ifThere("added_tokens") { key -> objects(key) { addedToken() } }.orEmpty(),
                        composes(ifThere("normalizer", ::element)),
                        splitters(ifThere("pre_tokenizer", ::element)),
                        obj("model") { bpe() },
                    )
                }
            } catch (error: IllegalArgumentException) {
                throw BundleException(
                    "$file: ${error.message}, which this runtime has no reader for; export a base with " +
                        "byte-level BPE.",
                    error,
                )
            }
        }
    }
}

/** A token that stands for itself, whatever surrounds it. */
internal class AddedToken(
    val id: Int,
    val content: String,
    val singleWord: Boolean,
    val lstrip: Boolean,
    val rstrip: Boolean,
    val normalized: Boolean,
)

private fun Fields.addedToken() = AddedToken(
    int("id"),
    text("content"),
    ifThere("single_word", ::flag) ?: false,
    ifThere("lstrip", ::flag) ?: false,
    ifThere("rstrip", ::flag) ?: false,
    ifThere("normalized", ::flag) ?: true,
)

/** Cuts a text at some added tokens: the leftmost, and of those that begin there the longest. */
private class Marks(tokens: List<AddedToken>) {
    private val byFirst: Map<Char, List<AddedToken>> = tokens.filter { it.content.isNotEmpty() }
        .sortedByDescending { it.content.length }
        .groupBy { it.content[0] }

    fun cut(text: String, ids: IntList, between: (String) -> Unit) {
        var begin = 0
        var at = 0
        while (at < text.length) {
            val token = byFirst[text[at]]?.firstOrNull { text.startsWith(it.content, at) }
            if (token == null) {
                at++
                continue
            }
            var from = at
            at += token.content.length
            if (token.singleWord && (isWord(text, from - 1) || isWord(text, at))) continue
            if (token.lstrip) while (from > begin && isSpace(text[from - 1].code)) from--
            if (token.rstrip) while (at < text.length && isSpace(text[at].code)) at++
            if (from > begin) between(text.substring(begin, from))
            ids.add(token.id)
            begin = at
        }
        if (begin < text.length) between(text.substring(begin))
    }

    private fun isWord(text: String, at: Int): Boolean =
        at in text.indices && (text[at].isLetterOrDigit() || text[at] == '_')
}

/** Whether texts are brought into NFC first, the only normalizer that is known here. */
private fun composes(normalizer: JsonElement?): Boolean = when (kind(normalizer)) {
    null -> false
    "NFC" -> true
    "Sequence" -> (normalizer as JsonObject)["normalizers"].let { it as? JsonArray }.orEmpty()
        .map(::composes).any { it }
    else -> throw IllegalArgumentException("its normalizer is ${kind(normalizer)}")
}

/** The `type` of a part of `tokenizer.json`; null where the part is missing. */
internal fun kind(part: JsonElement?): String? = when (part) {
    null, JsonNull -> null
    is JsonObject -> (part["type"] as? JsonPrimitive)?.content
    else -> throw IllegalArgumentException("a part of it is no object")
}
