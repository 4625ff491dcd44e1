package dev.edgetune.demo.ask

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.view.inputmethod.EditorInfo
import android.widget.Button
import android.widget.EditText
import android.widget.ImageButton
import android.widget.ScrollView
import android.widget.TextView
import dev.edgetune.demo.R
import dev.edgetune.demo.showText
import dev.edgetune.demo.spoken

/** Draws an [AskState] into `ask.xml`. */
class AskScreen(private val root: View, private val model: AskModel, speak: () -> Unit, toImport: () -> Unit) {
    private val exchanges = root.findViewById<ViewGroup>(R.id.exchanges)
    private val views = ArrayList<ExchangeView>()
    private val request = root.findViewById<EditText>(R.id.request)
    private val said = root.findViewById<EditText>(R.id.sheet_said)
    private val send = root.findViewById<ImageButton>(R.id.send)
    private var drawn: AskState? = null

    init {
        for (field in listOf(request, said)) {
            // Wraps, and still has the keyboard's own button for sending: XML offers one or the other.
            field.setHorizontallyScrolling(false)
            field.maxLines = MOST_LINES
        }
        send.setOnClickListener { if (model.state.value.running) model.stop() else send() }
        root.findViewById<View>(R.id.speak).setOnClickListener { speak() }
        root.findViewById<View>(R.id.to_import).setOnClickListener { toImport() }
        root.findViewById<View>(R.id.anew).setOnClickListener { model.clear() }
        root.findViewById<View>(R.id.refuse).setOnClickListener { model.refuse() }
        root.findViewById<View>(R.id.agree).setOnClickListener { agree() }
        request.setOnEditorActionListener { _, action, _ -> sends(action).also { if (it) send() } }
        said.setOnEditorActionListener { _, action, _ -> sends(action).also { if (it) agree() } }
    }

    /** Puts [text] where the user types, to be looked at and sent. */
    fun hear(text: String) {
        request.setText(text)
        request.setSelection(text.length)
    }

    fun draw(state: AskState) {
        if (state == drawn) return
        drawReady(state)
        drawExchanges(state.exchanges, waits = state.sheet != null)
        if (state.sheet != drawn?.sheet || drawn == null) drawSheet(state.sheet)
        send.setImageResource(if (state.running) R.drawable.stop else R.drawable.send)
        send.contentDescription = root.context.getString(if (state.running) R.string.stop else R.string.send)
        val isOpen = state.ready is Ready.Open
        for (view in listOf<View>(request, root.findViewById(R.id.speak))) view.isEnabled = isOpen && !state.running
        send.isEnabled = isOpen || state.running
        root.findViewById<View>(R.id.anew).visibility = if (state.exchanges.isEmpty()) View.GONE else View.VISIBLE
        drawn = state
    }

    private fun drawReady(state: AskState) {
        val context = root.context
        val (title, hint) = when (val ready = state.ready) {
            Ready.NoBundle -> context.getString(R.string.app_name) to context.getString(R.string.no_bundle)
            is Ready.Opening -> ready.bundle to context.getString(R.string.opening)
            is Ready.Open -> ready.bundle to context.getString(R.string.open_hint)
            is Ready.Failed -> ready.bundle to ready.problem
        }
        root.findViewById<TextView>(R.id.ready).showText(title)
        root.findViewById<TextView>(R.id.hint).showText(hint)
        root.findViewById<View>(R.id.to_import).visibility =
            if (state.ready == Ready.NoBundle) View.VISIBLE else View.GONE
        root.findViewById<View>(R.id.empty).visibility = if (state.exchanges.isEmpty()) View.VISIBLE else View.GONE
        if (state.ready != drawn?.ready || drawn == null) drawExamples(state.ready)
    }

    /** Requests of the tools that the bundle has, to be tapped instead of typed. */
    private fun drawExamples(ready: Ready) {
        val list = root.findViewById<ViewGroup>(R.id.examples)
        list.removeAllViews()
        val tools = (ready as? Ready.Open)?.tools.orEmpty()
        for (line in root.resources.getStringArray(R.array.examples)) {
            val (tool, example) = line.split(": ", limit = 2)
            if (tool !in tools) continue
            val button = LayoutInflater.from(root.context).inflate(R.layout.example, list, false) as Button
            button.text = example
            button.setOnClickListener { model.ask(example) }
            list.addView(button)
        }
    }

    private fun drawExchanges(state: List<Exchange>, waits: Boolean) {
        if (views.size > state.size) {
            views.clear()
            exchanges.removeAllViews()
        }
        state.forEachIndexed { index, exchange ->
            if (index == views.size) {
                views += ExchangeView(exchanges)
                exchanges.addView(views.last().root)
            }
            views[index].draw(exchange, isBusy = exchange.end == End.RUNNING && !waits)
        }
        if (state != drawn?.exchanges && state.isNotEmpty()) {
            val scroll = root.findViewById<ScrollView>(R.id.scroll)
            scroll.post { scroll.scrollTo(0, exchanges.bottom) }
        }
    }

    private fun drawSheet(sheet: Sheet?) {
        root.findViewById<View>(R.id.sheet).visibility = if (sheet == null) View.GONE else View.VISIBLE
        root.findViewById<View>(R.id.input).visibility = if (sheet == null) View.VISIBLE else View.GONE
        val (tool, words) = when (sheet) {
            null -> return
            is Sheet.Confirm -> sheet.tool to sheet.words
            is Sheet.Ask -> sheet.tool to sheet.question
        }
        root.findViewById<TextView>(R.id.sheet_tool).showText(spoken(tool))
        root.findViewById<TextView>(R.id.sheet_words).showText(words)
        said.visibility = if (sheet is Sheet.Ask) View.VISIBLE else View.GONE
        if (sheet is Sheet.Ask && said.text.isEmpty()) said.setText(sheet.said)
        root.findViewById<TextView>(R.id.agree)
            .setText(if (sheet is Sheet.Ask) R.string.tell else R.string.agree)
    }

    private fun agree() {
        val text = said.text.toString()
        said.text.clear()
        model.agree(text)
    }

    private fun send() {
        val text = request.text.toString()
        if (text.isBlank()) return
        request.text.clear()
        model.ask(text)
    }

    private fun sends(action: Int): Boolean =
        action == EditorInfo.IME_ACTION_SEND || action == EditorInfo.IME_ACTION_DONE

    private companion object {
        const val MOST_LINES = 5
    }
}
