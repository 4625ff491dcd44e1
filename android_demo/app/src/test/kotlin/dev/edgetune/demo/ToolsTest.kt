package dev.edgetune.demo

import android.view.View
import dev.edgetune.demo.assistant.Call
import dev.edgetune.demo.tools.PhoneTools
import dev.edgetune.demo.tools.TRIALS
import dev.edgetune.demo.tools.ToolTest
import java.io.File
import java.time.LocalDateTime
import org.json.JSONArray
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Test

/** What the app has tools for, and what it says where there is none. */
class ToolsTest : ToolTest() {
    /** The toolset as `edgetune` has it built in: each tool with the values of its enumerations. */
    private val toolset: Map<String, Map<String, List<String>>> by lazy {
        val all = JSONArray(File("../../toolkit/edgetune/tools/phone_actions.json").readText())
        (0 until all.length()).map { all.getJSONObject(it).getJSONObject("function") }.associate { tool ->
            val properties = tool.getJSONObject("parameters").getJSONObject("properties")
            tool.getString("name") to properties.keys().asSequence().associateWith { name ->
                val values = properties.getJSONObject(name).optJSONArray("enum") ?: JSONArray()
                List(values.length()) { values.getString(it) }
            }
        }
    }

    @Test
    fun `every tool of phone_actions has a function of the phone, a trial, and no other has`() {
        assertEquals(toolset.keys, PhoneTools(person.app, LocalDateTime::now).names)
        assertEquals(toolset.keys, TRIALS.values.map { it.tool }.toSet())
        assertEquals(toolset.keys, PHONE_TOOLS.toSet())
    }

    @Test
    fun `every value that the model may choose among is known`() {
        for ((tool, arguments) in toolset) {
            val plain = TRIALS.values.first { it.tool == tool }.arguments
            val choices = arguments.flatMap { (name, values) -> values.map { name to it } }
            for (choice in choices) {
                Script.calls["please"] = Call(tool, plain + choice)
                person.ask("please")
                person.waitFor("the sheet of $tool, $choice") { person.find<View>(R.id.sheet).isShown }
                person.refuse()
                person.tap(R.id.anew)
            }
        }
    }

    @Test
    fun `a request that needs no tool is answered in words`() {
        Script.calls["how are you?"] = null
        person.ask("how are you?")
        person.mustSee("I am fine.")
        assertFalse(person.find<View>(R.id.sheet).isShown)
        assertNull(person.started())
    }

    @Test
    fun `a tool that the phone has no function for is said to be none`() {
        Script.calls["order pizza"] = Call("order_pizza", emptyMap())
        person.ask("order pizza")
        person.mustSee("This phone has no function for “order_pizza”.")
        assertFalse(person.find<View>(R.id.sheet).isShown)
        assertNull(person.started())
    }
}
