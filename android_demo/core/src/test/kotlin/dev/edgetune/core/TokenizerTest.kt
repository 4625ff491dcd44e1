package dev.edgetune.core

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer
import java.io.File
import kotlin.random.Random
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Held to the library that trained on: Hugging Face's own, through DJL. */
class TokenizerTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val nano = File("../../toolkit/edgetune/nano/base/tokenizer.json")

    private fun changed(from: String, to: String): File {
        val file = File(folder.root, "tokenizer.json")
        val text = nano.readText()
        check(from in text) { "nano's tokenizer has no $from" }
        file.writeText(text.replace(from, to))
        return file
    }

    private fun assertSame(file: File) {
        val ours = Tokenizer.read(file)
        HuggingFaceTokenizer.builder().optTokenizerPath(file.toPath()).optAddSpecialTokens(false).build().use {
            for (text in TEXTS + random(300)) {
                val expected = it.encode(text, false, false).ids.map(Long::toInt).toIntArray()
                assertArrayEquals(text, expected, ours.encode(text))
            }
        }
    }

    private fun random(count: Int): List<String> {
        val random = Random(3)
        val ranges = listOf(0x20..0x7E, 0xA0..0x24F, 0x300..0x36F, 0x3040..0x30FF, 0x1F300..0x1F5FF)
        return List(count) {
            buildString { repeat(random.nextInt(1, 40)) { appendCodePoint(ranges.random(random).random(random)) } }
        }
    }

    @Test
    fun `nano's tokenizer gives the same ids`() = assertSame(nano)

    @Test
    fun `so does one that splits as GPT-2 does`() {
        val split = nano.readText().substringAfter("\"Regex\": \"").substringBefore("\"\n")
        val gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|\\\\s+(?!\\\\S)|\\\\s+"
        assertSame(changed(split, gpt2))
    }

    @Test
    fun `added tokens may take the space around them`() =
        assertSame(changed("\"lstrip\": false", "\"lstrip\": true"))

    @Test
    fun `what is not byte-level BPE is refused`() {
        assertRefused<BundleException>("NFKC") { Tokenizer.read(changed("\"NFC\"", "\"NFKC\"")) }
        assertRefused<BundleException>("WordPiece") {
            Tokenizer.read(changed("\"type\": \"BPE\"", "\"type\": \"WordPiece\""))
        }
    }

    @Test
    fun `a long word is not slow`() {
        val word = "ab".repeat(50_000)
        val begin = System.nanoTime()
        assertEquals(true, Tokenizer.read(nano).encode(word).isNotEmpty())
        assertEquals(true, millisSince(begin) < 20_000)
    }

    private companion object {
        val TEXTS = listOf(
            "", " ", "  two  spaces ", "tab\tline\n\r\n\u000b\u0085", "I'll we'VE 'S don\u2019t 'ſ",
            "0123 1,234.5 ٣٤٥ ¾ Ⅷ", "a".repeat(90), "q\u0303 e\u0301 ǆ ß İ", "日本語、中文。한국어", "עברית العربية हिन्दी",
            "👍🏽 👩\u200d👩\u200d👧 🇳🇴", "zero\u200bwidth\u00a0x\ufeff", "\u0000\u0001\u007f",
            "<|im_start|>user\n<|im_end|>x",
            "<tool_call>\n{\"name\": \"x\"}</tool_call>", "<tool_call", "x <|im_end|> y",
        )
    }
}
