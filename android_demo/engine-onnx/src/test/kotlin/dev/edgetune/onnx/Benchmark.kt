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
        val (threads, warmUp, rounds, mostTokens) = arguments.slice(1..4).map(String::toInt)
        val requests = arguments.drop(5)
        val times = requests.map { ArrayList<Double>() }
        Agent(bundle, bundle.openEngine(OnnxEngines, threads)).use { agent ->
            for (round in 0 until warmUp + rounds) {
                requests.forEachIndexed { index, request ->
                    val options = Options(maxTokens = mostTokens)
                    val step = agent.step(listOf(Turn.User(request)), options = options)
                    if (round >= warmUp) times[index].add(step.timing.ms)
                }
            }
        }
        println(times.map { it.sorted()[it.size / 2] })
    }
}
