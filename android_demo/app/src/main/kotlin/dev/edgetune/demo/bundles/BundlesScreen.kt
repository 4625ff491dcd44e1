package dev.edgetune.demo.bundles

import android.text.format.Formatter
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.ProgressBar
import android.widget.TextView
import dev.edgetune.demo.R
import dev.edgetune.demo.showText
import dev.edgetune.demo.spoken

/** Draws a [BundlesState] into `bundles.xml`. */
class BundlesScreen(
    private val root: View,
    private val model: BundlesModel,
    pickFolder: () -> Unit,
    pickZip: () -> Unit,
) {
    private val list = root.findViewById<ViewGroup>(R.id.bundle_list)
    private var drawn: Pair<List<Shelved>, String?>? = null

    init {
        root.findViewById<View>(R.id.from_folder).setOnClickListener { pickFolder() }
        root.findViewById<View>(R.id.from_zip).setOnClickListener { pickZip() }
        root.findViewById<View>(R.id.import_cancel).setOnClickListener { model.cancel() }
    }

    fun draw(state: BundlesState) {
        root.findViewById<TextView>(R.id.bundles_problem).showText(state.problem)
        val import = state.import
        root.findViewById<View>(R.id.import_card).visibility = if (import == null) View.GONE else View.VISIBLE
        for (id in listOf(R.id.from_folder, R.id.from_zip)) root.findViewById<View>(id).isEnabled = import == null
        import?.let(::drawImport)
        if (drawn == state.bundles to state.chosen) return
        drawn = state.bundles to state.chosen
        list.removeAllViews()
        for (bundle in state.bundles) list.addView(card(bundle, bundle.name == state.chosen))
    }

    private fun drawImport(import: Import) {
        val (from, done, all) = import
        root.findViewById<TextView>(R.id.import_text).text =
            if (all == 0L) root.context.getString(R.string.import_begins, from)
            else root.context.getString(R.string.importing, from, size(done), size(all))
        val bar = root.findViewById<ProgressBar>(R.id.import_bar)
        bar.isIndeterminate = import.allBytes == 0L
        if (import.allBytes > 0) bar.progress = (bar.max * import.doneBytes / import.allBytes).toInt()
    }

    private fun card(bundle: Shelved, isChosen: Boolean): View {
        val context = root.context
        val card = LayoutInflater.from(context).inflate(R.layout.bundle, list, false)
        card.findViewById<TextView>(R.id.bundle_name).text = bundle.name
        val tools = bundle.toolsets.values.sumOf { it.size }
        val facts = if (bundle.problem != null) null else context.getString(
            R.string.bundle_facts, bundle.base, tools, bundle.adapters, size(bundle.bytes),
        )
        card.findViewById<TextView>(R.id.bundle_facts).showText(facts)
        card.findViewById<TextView>(R.id.bundle_tools)
            .showText(bundle.toolsets.values.flatten().joinToString(transform = ::spoken))
        card.findViewById<TextView>(R.id.bundle_wrong).showText(bundle.problem)
        card.findViewById<View>(R.id.bundle_in_use).visibility = if (isChosen) View.VISIBLE else View.GONE
        val use = card.findViewById<TextView>(R.id.bundle_use)
        use.visibility = if (bundle.problem == null && !isChosen) View.VISIBLE else View.GONE
        use.contentDescription = "${use.text}: ${bundle.name}"
        use.setOnClickListener { model.choose(bundle.name) }
        val remove = card.findViewById<TextView>(R.id.bundle_remove)
        remove.contentDescription = context.getString(R.string.remove_which, bundle.name)
        remove.setOnClickListener { model.remove(bundle.name) }
        return card
    }

    private fun size(bytes: Long): String = Formatter.formatShortFileSize(root.context, bytes)
}
