package dev.edgetune.demo.assistant

/** What [Sample] was taken after. */
enum class Moment { OPENED, BASE, LOADED, SWAPPED, EVICTED }

/** What the process held in memory after something was done to the base or an adapter. */
data class Sample(
    val moment: Moment,
    val name: String,
    val pssBytes: Long,
    val privateDirtyBytes: Long,
    /** How long it took; 0 where nothing was timed. */
    val ms: Double,
)

/** A measurement, with the samples it came from. */
data class Report(val bundle: String, val samples: List<Sample>, val json: String)
