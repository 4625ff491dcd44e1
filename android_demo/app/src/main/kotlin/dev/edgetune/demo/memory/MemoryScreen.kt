package dev.edgetune.demo.memory

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Moment
import dev.edgetune.demo.assistant.Sample
import dev.edgetune.demo.showText

/** Draws a [MemoryState] into `memory.xml`. */
class MemoryScreen(private val root: View, private val model: MemoryModel, share: (String) -> Unit) {
    private val list = root.findViewById<ViewGroup>(R.id.sample_list)
    private val chart = root.findViewById<Chart>(R.id.chart)

    init {
        root.findViewById<View>(R.id.measure).setOnClickListener { model.measure() }
        root.findViewById<View>(R.id.share).setOnClickListener { model.state.value.report?.let { share(it.json) } }
    }

    fun draw(state: MemoryState) {
        val what = when {
            state.bundle == null -> root.context.getString(R.string.memory_none)
            state.running -> root.context.getString(R.string.memory_running, state.bundle)
            state.report != null -> root.context.getString(R.string.memory_done, state.bundle)
            else -> root.context.getString(R.string.memory_what, state.bundle)
        }
        root.findViewById<TextView>(R.id.memory_what).text = what
        root.findViewById<View>(R.id.measure).isEnabled = state.bundle != null && !state.running
        root.findViewById<View>(R.id.share).visibility = if (state.report == null) View.GONE else View.VISIBLE
        root.findViewById<TextView>(R.id.memory_problem).showText(state.problem)
        root.findViewById<View>(R.id.chart_card).visibility =
            if (state.samples.isEmpty()) View.GONE else View.VISIBLE
        chart.show(state.samples)
        if (list.childCount > state.samples.size) list.removeAllViews()
        for (sample in state.samples.drop(list.childCount)) list.addView(row(sample, state.samples))
    }

    private fun row(sample: Sample, all: List<Sample>): View {
        val row = LayoutInflater.from(root.context).inflate(R.layout.sample, list, false)
        val id = when (sample.moment) {
            Moment.OPENED -> R.string.sample_opened
            Moment.BASE -> R.string.sample_base
            Moment.LOADED -> R.string.sample_loaded
            Moment.SWAPPED -> R.string.sample_swapped
            Moment.EVICTED -> R.string.sample_evicted
        }
        row.findViewById<TextView>(R.id.sample_name).text = root.context.getString(id, sample.name)
        val before = all.getOrNull(all.indexOf(sample) - 1)
        val facts = listOfNotNull(
            root.context.getString(R.string.pss, Chart.megabytes(sample.pssBytes)),
            root.context.getString(R.string.dirty, Chart.megabytes(sample.privateDirtyBytes)),
            before?.let { root.context.getString(R.string.change, signed(sample.pssBytes - it.pssBytes)) },
            if (sample.ms > 0) root.context.getString(R.string.took, sample.ms) else null,
        )
        row.findViewById<TextView>(R.id.sample_facts).text = facts.joinToString("\u00A0· ")
        return row
    }

    private fun signed(bytes: Long): String = (if (bytes < 0) "−" else "+") + Chart.megabytes(kotlin.math.abs(bytes))
}
