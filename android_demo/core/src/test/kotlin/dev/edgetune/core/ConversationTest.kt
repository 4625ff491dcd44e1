package dev.edgetune.core

import java.io.File
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class ConversationTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val executed = ArrayList<String>()

    /** Calls `set` (id 1 behind the opening 0) once, then responds (id 2), then says token 6 twice. */
    private fun agent(says: (List<Int>) -> FloatArray = ::script): Agent {
        val agent = Agent(bundle(), ScriptedEngine(4200, 4096, says))
        agent.register("clock.set") { step ->
            executed.add("${step.tool} ${step.argument("a")}")
            "done"
        }
        return agent
    }

    private var selections = 0

    private fun script(ids: List<Int>): FloatArray = when (ids.last()) {
        100 -> liking(4200, (if (selections++ == 0) 101 else 102) to 9f)
        1 -> liking(4200, 3 to 9f)
        6 -> liking(4200, 7 to 9f)
        7, 4 -> liking(4200, 2000 to 9f)
        3 -> liking(4200, 4 to 9f)
        else -> liking(4200, 6 to 9f)
    }

    private fun bundle(): Bundle {
        val text = JsonPrimitive("number")
        val tool = Tool("set", "Sets.", JsonObject(mapOf("properties" to JsonObject(mapOf("a" to text)))), "clock.set")
        val toolset = Toolset("clock", "Clocks.", listOf(tool))
        val digits = digitsVocabulary()
        val vocabulary = Vocabulary(Array(4200) { if (it < digits.size) digits[it] else ByteArray(0) })
        val trie = NameTrie(
            listOf("set", RESPOND),
            intArrayOf(100),
            listOf(Branch(intArrayOf(), intArrayOf(101, 102), listOf("set", RESPOND), intArrayOf(-1, -1))),
        )
        val served = ToolsetAssets(
            toolset,
            ToolsetPrompts("none", false, "base", "selector", mapOf("set" to "arguments")),
            trie,
            mapOf("set" to Automaton.read(safetensors(File(folder.root, "g"), digitsGrammar()), 10)),
            null,
            emptyMap(),
            null,
            emptyMap(),
        )
        val pieces = Pieces(listOf("U", "\n"), listOf("A", "\n"), listOf("R", "\n"), "<", ">", "</", null, null)
        val assets = Assets(
            Tokenizer.read(File("../../toolkit/edgetune/nano/base/tokenizer.json")),
            vocabulary,
            pieces,
            "reply",
            mapOf("clock" to served),
            emptyMap(),
            setOf(2000),
            null,
            null,
        )
        val base = Base("b", null, "llama", "0", 4, 4, 32, 4200, 8, 1, 1, 1, 8, 4096, listOf(2000))
        val manifest =
            Manifest("0", "n", base, "", "", emptyList(), emptyList(), null, emptyList(), emptyList(), emptyList())
        return Bundle(folder.root, manifest, assets, false)
    }

    private val base = Options(system = Options.System.BASE)

    @Test
    fun `a request is answered to the end`() = runBlocking {
        val answer = agent().run("set it", base)
        assertEquals(listOf("clock.set 2"), executed)
        assertEquals(listOf("clock.set", RESPOND), answer.steps.map { it.tool })
        assertEquals("x1}", answer.text)
        assertEquals(Because.REPLIED, answer.because)
        val turns = answer.turns
        val told = listOf(Turn.User("set it"), Turn.Called("clock.set", "{\"a\":2}"), Turn.Result("done"))
        assertEquals(told, turns.take(3))
        assertEquals(Turn.Assistant("x1}"), turns.last())
    }

    @Test
    fun `everything that happens is told in its order`() = runBlocking {
        val events = agent().events(listOf(Turn.User("set it")), base).toList()
        val kinds = events.map { it::class.simpleName }
        assertEquals(
            listOf("Selected", "Wrote", "Wrote", "Wrote", "Decided", "Returned", "Selected", "Decided"),
            kinds.take(8),
        )
        assertEquals("Finished", kinds.last())
        val written = events.filterIsInstance<Event.Wrote>()
        assertEquals("{\"a\":2}", written.joinToString("") { it.text })
        assertEquals(listOf(true, false, false), written.map { it.forced })
    }

    @Test
    fun `whoever leaves at a decision has nothing executed`() = runBlocking {
        val decided = agent().events(listOf(Turn.User("set it")), base).first { it is Event.Decided }
        assertEquals("clock.set", (decided as Event.Decided).step.tool)
        assertTrue(executed.isEmpty())
    }

    @Test
    fun `cancelling ends a step before its next forward pass, and the agent goes on`() {
        val agent = agent()
        val cancelled = runCatching {
            runBlocking {
                agent.events(listOf(Turn.User("set it")), base).collect {
                    if (it is Event.Selected) throw CancellationException("enough")
                }
            }
        }
        assertTrue(cancelled.exceptionOrNull() is CancellationException)
        assertTrue(executed.isEmpty())
        selections = 0
        assertEquals("clock.set", agent.step(listOf(Turn.User("set it")), options = base).tool)
    }

    @Test
    fun `too many steps end without a reply`() = runBlocking {
        val answer = agent { selections = 0; script(it) }.run("set it", base, maxSteps = 2)
        assertEquals(Because.TOO_MANY_STEPS, answer.because)
        assertEquals(2, executed.size)
        assertEquals("", answer.text)
    }

    @Test
    fun `a tool that nobody registered is named`() {
        val agent = Agent(bundle(), ScriptedEngine(4200, 4096, ::script))
        assertRefused<InputException>("clock.set", "register") { runBlocking { agent.run("set it", base) } }
        assertRefused<InputException>("'nap'") { agent.register("nap") { "" } }
    }

    @Test
    fun `a system without its adapters is named`() = assertRefused<InputException>("decoupled", "clock") {
        agent().step(listOf(Turn.User("set it")))
    }

    @Test
    fun `a closed agent frees its engine and says so`() {
        val engine = ScriptedEngine(4200, 4096, ::script)
        val agent = Agent(bundle(), engine)
        agent.close()
        agent.close()
        assertTrue(engine.closed)
        assertRefused<InputException>("closed") { agent.step(listOf(Turn.User("x")), options = base) }
    }

    @Test
    fun `what a function throws ends the conversation`() {
        val agent = Agent(bundle(), ScriptedEngine(4200, 4096, ::script))
        agent.register("clock.set") { error("no clock") }
        assertThrows(IllegalStateException::class.java) { runBlocking { agent.run("set it", base) } }
    }
}
