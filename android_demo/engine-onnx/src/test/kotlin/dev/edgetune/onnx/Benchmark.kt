package dev.edgetune.onnx

import dev.edgetune.core.Agent
import dev.edgetune.core.Options
import dev.edgetune.core.Turn
import dev.edgetune.core.openBundle
import dev.edgetune.core.openEngine
import java.io.File

/** The Kotlin side of `benchmarks/kotlin.py`: prints the median time of each request, in ms. */
public object Benchmark {
    @JvmStatic
    public fun main(arguments: Array<String>) {
        val bundle = openBundle(File(arguments[0]))
        val (threads, warmUp, count, mostTokens) = arguments.slice(1..4).map(String::toInt)
        val requests = arguments.drop(5)
        val options = Options(maxTokens = mostTokens)
        val rounds = Agent(bundle, bundle.openEngine(OnnxEngines, threads)).use { agent ->
            val answer = { requests.map { agent.step(listOf(Turn.User(it)), options = options).timing.ms } }
            val begin = System.nanoTime()
            var warm = 0
            while (warm < 3 || System.nanoTime() - begin < warmUp * 1_000_000_000L) {
                answer()
                warm++
            }
            List(count) { answer() }
        }
        println(requests.indices.map { index -> rounds.map { it[index] }.sorted()[rounds.size / 2] })
    }
}
