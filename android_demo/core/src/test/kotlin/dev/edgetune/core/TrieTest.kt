package dev.edgetune.core

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class TrieTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun read(names: String, branches: String): NameTrie {
        val file = File(folder.root, "names.json")
        file.writeText("""{"toolsets":{"t":{"names":$names,"opening_ids":[1],"branches":$branches}},"router":null}""")
        return readTries(file).toolsets.getValue("t")
    }

    private fun refused(vararg words: String, names: String = """["a","b"]""", branches: String) =
        assertRefused<BundleException>("names.json", *words) { read(names, branches) }

    @Test
    fun `a branch leads to names and to branches behind it`() {
        val branches = """[{"prefix":[],"children":{"5":"a","6":1}},{"prefix":[6,7],"children":{"8":"b"}}]"""
        val trie = read("""["a","b"]""", branches)
        assertEquals(listOf("a", null), trie.branches[0].names)
        assertEquals(1, trie.branches[0].below[1])
        assertEquals(8, trie.largestId)
    }

    @Test
    fun `a way back is refused`() = refused(
        "leads to",
        branches = """[{"prefix":[],"children":{"5":"a","6":1}},{"prefix":[6],"children":{"8":"b","9":0}}]""",
    )

    @Test
    fun `two ways to one branch, by which paths would double, are refused`() = refused(
        "one way",
        branches = """[{"prefix":[],"children":{"5":"a","6":1,"06":1}},{"prefix":[6],"children":{"8":"b"}}]""",
    )

    @Test
    fun `a branch that leads nowhere is refused`() = refused(
        "nowhere",
        branches = """[{"prefix":[],"children":{"5":"a","6":1,"7":"b"}},{"prefix":[6],"children":{}}]""",
    )

    @Test
    fun `a branch that does not go on from the one before it is refused`() = refused(
        "go on",
        branches = """[{"prefix":[],"children":{"5":"a","6":1}},{"prefix":[7],"children":{"8":"b"}}]""",
    )

    @Test
    fun `names that no branch leads to, and ids that are none, are refused`() {
        refused("its names are", branches = """[{"prefix":[],"children":{"5":"a"}}]""")
        refused("token id", branches = """[{"prefix":[-1],"children":{"5":"a","6":"b"}}]""")
        refused("token id", branches = """[{"prefix":[],"children":{"x":"a","6":"b"}}]""")
    }
}
