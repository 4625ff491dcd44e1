package dev.edgetune.onnx

import dev.edgetune.core.Agent
import dev.edgetune.core.Event
import dev.edgetune.core.Turn
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Test

suspend fun wake(folder: File, alarms: (String) -> String) {
    Agent.open(folder, OnnxEngines).use { agent ->
        agent.register("set_alarm") { step -> alarms(step.argument("time") ?: "now") }
        agent.events(listOf(Turn.User("wake me at seven"))).collect { event ->
            if (event is Event.Decided) println("${event.step.tool} ${event.step.arguments}")
            if (event is Event.Said) print(event.text)
        }
        println(agent.run("and at eight", words = false).steps.first().probability)
    }
}

class ReadmeTest {
    @Test
    fun `the README shows the function above`() {
        val here = File("src/test/kotlin/dev/edgetune/onnx/ReadmeTest.kt").readText()
        val shown = File("../README.md").readText().substringAfter("```kotlin\n").substringBefore("```")
        assertEquals(here.substringAfter("import org.junit.Test\n\n").substringBefore("\nclass"), shown)
    }
}
