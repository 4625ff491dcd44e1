package dev.edgetune.core

import io.kotest.property.Arb
import io.kotest.property.arbitrary.byte
import io.kotest.property.arbitrary.byteArray
import io.kotest.property.arbitrary.int
import io.kotest.property.checkAll
import java.io.File
import kotlinx.coroutines.runBlocking
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.rules.Timeout

/** What each parser of a bundle makes of any bytes, and of any one change of a file that is right. */
class FuzzTest {
    @get:Rule
    val folder = TemporaryFolder()

    /** What takes that long does not end. */
    @get:Rule
    val patience: Timeout = Timeout.seconds(300)

    private fun holds(valid: ByteArray, name: String = "file", read: (File) -> Unit) {
        val file = File(folder.root, name)
        file.writeBytes(valid)
        read(file) // or all that follows would be refused at its beginning
        runBlocking {
            checkAll(ROUNDS, Arb.byteArray(Arb.int(0..200), Arb.byte())) { harmless(file, it, read) }
            checkAll(2 * ROUNDS, changes) { change -> harmless(file, change.of(valid), read) }
        }
    }

    private fun holds(valid: String, name: String = "file", read: (File) -> Unit) =
        holds(valid.encodeToByteArray(), name, read)

    private fun harmless(file: File, bytes: ByteArray, read: (File) -> Unit) {
        file.writeBytes(bytes)
        assertModest {
            try {
                read(file)
            } catch (error: BundleException) {
                assertSentence(error)
            }
        }
    }

    private fun written(arrays: Map<String, Written>): ByteArray =
        safetensors(File(folder.root, "valid"), arrays).readBytes()

    @Test
    fun `safetensors`() = holds(written(digitsGrammar())) { readSafetensors(it, "blob") }

    @Test
    fun `an automaton, which then writes a call within its budget`() = holds(written(digitsGrammar())) { file ->
        val automaton = Automaton.read(file, 10)
        val engine = ScriptedEngine(10) { FloatArray(10) { id -> (id * 7 % 10).toFloat() } }
        val none = Spans(emptyList(), emptyList())
        try {
            ArgumentsDecoder(engine, automaton, digitsVocabulary(), none, 16, Sampler(0.0, 0)).decode(intArrayOf(6))
        } catch (_: InputException) {
            // Its shortest call takes more than that.
        }
    }

    @Test
    fun `a vocabulary`() = holds(written(mapOf("bytes" to u8(97, 98, 99), "lengths" to u32(1, 0, 2)))) { file ->
        val vocabulary = Vocabulary.read(file)
        vocabulary.text(vocabulary.textIds)
    }

    @Test
    fun `JSON of any kind`() = holds("""{"a":[1,-2.5e3,"b\u00e9\n",null,true,{"c":[[]]}],"d":""}""") {
        compactJson(readJson(it))
    }

    @Test
    fun `a manifest`() = holds(MANIFEST_TEXT, "manifest.json") { file ->
        File(file.parentFile, "manifest.sha256").writeText("${sha256(file)}  manifest.json\n")
        readManifest(file.parentFile)
    }

    @Test
    fun `tools`() = holds(
        """{"toolsets":[{"name":"t","description":"d","tools":[{"type":"function","original_name":"a.b",""" +
            """"function":{"name":"a","description":"","parameters":{"type":"object","properties":{"x":{""" +
            """"type":"string"}}}}}]}]}""",
    ) { file -> readToolsets(file).values.forEach { toolsetSha256(it) } }

    @Test
    fun `prompts`() = holds(
        """{"pieces":{"user":["u",""],"assistant":["a",""],"result":["r",""],"call_open":"","call_middle":"",""" +
            """"call_close":"}","earlier":null,"words":"w"},"reply":"","toolsets":{"t":{"tools_shown":"full",""" +
            """"shared":true,"base":"","selector":"","arguments":{"x":""}}},"router":{"base":"","adapter":""}}""",
    ) { file -> renderPrompt(readPrompts(file).pieces, "", listOf(Turn.User("u"), Turn.Called("a", "{}")), true) }

    @Test
    fun `tries, which are then walked to their ends`() = holds(
        """{"toolsets":{"t":{"names":["a","b","c"],"opening_ids":[1],"branches":[{"prefix":[],"children":""" +
            """{"5":"a","6":1}},{"prefix":[6,7],"children":{"8":"b","9":"c"}}]}},"router":null}""",
    ) { file ->
        for (trie in readTries(file).toolsets.values) {
            // A bundle is refused where the base has fewer tokens, and none has so many.
            val size = trie.largestId.takeIf { it < 1000 }?.plus(1) ?: continue
            select(ScriptedEngine(size) { FloatArray(size) }, trie, exact = true)
        }
    }

    @Test
    fun `a tokenizer, which then cuts a text`() = holds(
        """{"added_tokens":[{"id":3,"content":"<x>","single_word":false,"lstrip":true,"rstrip":false,"normalized":""" +
            """false}],"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":""" +
            """"Split","pattern":{"Regex":" ?[a-z]+|\\s+"},"behavior":"Isolated","invert":false},{"type":""" +
            """"ByteLevel","add_prefix_space":false,"use_regex":false}]},"model":{"type":"BPE","vocab":""" +
            """{"a":0,"b":1,"ab":2},"merges":[["a","b"]],"ignore_merges":true}}""",
    ) { Tokenizer.read(it).encode("abab <x> ba é") }

    private companion object {
        const val ROUNDS = 300

        const val MANIFEST_TEXT =
            """{"schema_version":3,"edgetune":"0","name":"n","base":{"name":"b","revision":null,"family":"llama",""" +
                """"weights_sha256":"0","bits":4,"group_size":32,"vocab_size":8,"hidden_size":8,"layers":1,""" +
                """"attention_heads":1,"kv_heads":1,"head_dim":8,"context_length":8,"end_tokens":[0]},""" +
                """"tokenizer_sha256":"0","template_sha256":"0","slots":[{"name":"s","in_features":8,""" +
                """"out_features":8}],"toolsets":[{"name":"t","description":"","tools_sha256":"0","selector":"a",""" +
                """"arguments":{"x":"a"},"monolithic":null,"grammars":{"x":"g"},"copied":{"x":["y"]}}],""" +
                """"router":null,"adapters":[{"name":"a","role":"selector","toolset":"t","tool":null,""" +
                """"kind":"alora","invocation":[1],"rank":1,"scale":1.0,"rslora":false,"file":"f",""" +
                """"dtype":"float16","base_sha256":"0","data_sha256":"0","onnx_adapter":null,""" +
                """"selection_temperature":1.5}],""" +
                """"targets":[{"name":"onnx","model":"m","context_length":8,"kv_type":"float32","options":""" +
                """{"chunk":32,"socs":"sm8650"}}],"files":[{"path":"m","bytes":1,"sha256":"0","needed_by":"onnx"}]}"""
    }
}
