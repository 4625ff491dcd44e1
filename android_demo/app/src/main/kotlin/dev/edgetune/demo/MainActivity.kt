package dev.edgetune.demo

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Context
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Bundle
import android.speech.RecognizerIntent
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Toast
import dev.edgetune.demo.ask.AskScreen
import dev.edgetune.demo.ask.restored
import dev.edgetune.demo.ask.saved
import dev.edgetune.demo.bundles.BundlesScreen
import dev.edgetune.demo.memory.MemoryScreen
import dev.edgetune.demo.tools.Hand
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.launch

/** The three places, and what only an activity can do for them: start others, ask, be drawn. */
class MainActivity : Activity(), Hand {
    private val app get() = application as EdgetuneApp
    private val places = LinkedHashMap<Int, View>()
    private val drawing = ArrayList<Job>()
    private var place = R.id.to_ask
    private lateinit var ask: AskScreen
    private lateinit var bundles: BundlesScreen
    private lateinit var memory: MemoryScreen

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setContentView(R.layout.main)
        ask = AskScreen(added(R.id.to_ask, R.layout.ask), app.ask, ::listen) { go(R.id.to_bundles) }
        val (folder, zip) = Picker.FOLDER.of(this) to Picker.ZIP.of(this)
        bundles = BundlesScreen(added(R.id.to_bundles, R.layout.bundles), app.bundles, folder, zip)
        memory = MemoryScreen(added(R.id.to_memory, R.layout.memory), app.memory, ::share)
        for (id in places.keys) findViewById<View>(id).setOnClickListener { go(id) }
        saved?.getString(CONVERSATION)?.let { app.ask.restore(restored(it)) }
        go(places.keys.elementAtOrNull(saved?.getInt(PLACE) ?: 0) ?: R.id.to_ask)
    }

    override fun onStart() {
        super.onStart()
        app.hands.came(this)
        drawing += draws(app.ask.state, ask::draw)
        drawing += draws(app.memory.state, memory::draw)
        drawing += draws(app.bundles.state) {
            bundles.draw(it)
            app.pushed.takeIn(app.bundles)
        }
    }

    override fun onResume() {
        super.onResume()
        app.pushed.takeIn(app.bundles)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        app.pushed.takeIn(app.bundles)
    }

    override fun onStop() {
        drawing.forEach(Job::cancel)
        drawing.clear()
        app.hands.went(this)
        super.onStop()
    }

    override fun onSaveInstanceState(out: Bundle) {
        super.onSaveInstanceState(out)
        out.putString(CONVERSATION, saved(app.ask.state.value.exchanges))
        out.putInt(PLACE, places.keys.indexOf(place))
    }

    @Deprecated("What replaces it begins with Android 13")
    override fun onBackPressed() {
        when {
            app.ask.state.value.sheet != null && place == R.id.to_ask -> app.ask.refuse()
            place != R.id.to_ask -> go(R.id.to_ask)
            else -> super.onBackPressed()
        }
    }

    @Deprecated("What replaces it is in no framework")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        if (result != RESULT_OK || data == null) return
        val words = data.getStringArrayListExtra(RecognizerIntent.EXTRA_RESULTS)
        if (request == SPEECH) words?.firstOrNull()?.let(ask::hear)
        Picker.entries.firstOrNull { it.request == request }?.picked(this, data, app.bundles)
    }

    override fun onRequestPermissionsResult(request: Int, asked: Array<out String>, granted: IntArray) {
        app.hands.answered(granted.isNotEmpty() && granted.all { it == PackageManager.PERMISSION_GRANTED })
    }

    override val context: Context get() = this

    override fun start(intent: Intent): Boolean = try {
        startActivity(intent)
        true
    } catch (_: ActivityNotFoundException) {
        false
    } catch (_: SecurityException) {
        false // An app that answers to the intent, but not for others.
    }

    override suspend fun permit(permission: String): Boolean =
        checkSelfPermission(permission) == PackageManager.PERMISSION_GRANTED ||
            app.hands.answer { requestPermissions(arrayOf(permission), PERMISSION) }

    override fun picture(): Bitmap {
        val view = window.decorView
        return Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888).also { view.draw(Canvas(it)) }
    }

    private fun added(place: Int, layout: Int): View {
        val parent = findViewById<ViewGroup>(R.id.place)
        return LayoutInflater.from(this).inflate(layout, parent, false).also {
            parent.addView(it)
            places[place] = it
        }
    }

    private fun go(to: Int) {
        place = to
        for ((id, view) in places) {
            view.visibility = if (id == to) View.VISIBLE else View.GONE
            findViewById<View>(id).isSelected = id == to
        }
    }

    private fun <T> draws(states: StateFlow<T>, draw: (T) -> Unit): Job =
        app.scope.launch { states.collect { draw(it) } }

    private fun listen() {
        val intent = Intent(RecognizerIntent.ACTION_RECOGNIZE_SPEECH)
            .putExtra(RecognizerIntent.EXTRA_LANGUAGE_MODEL, RecognizerIntent.LANGUAGE_MODEL_FREE_FORM)
        startFor(intent, SPEECH, R.string.no_speech)
    }

    /** Starts what gives something back, or says that the phone has [none] of the kind. */
    fun startFor(intent: Intent, request: Int, none: Int) {
        try {
            @Suppress("DEPRECATION")
            startActivityForResult(intent, request)
        } catch (_: ActivityNotFoundException) {
            Toast.makeText(this, none, Toast.LENGTH_LONG).show()
        }
    }

    private fun share(json: String) {
        val intent = Intent(Intent.ACTION_SEND).setType("application/json").putExtra(Intent.EXTRA_TEXT, json)
        if (!start(Intent.createChooser(intent, null))) {
            Toast.makeText(this, R.string.no_app, Toast.LENGTH_LONG).show()
        }
    }

    private companion object {
        const val CONVERSATION = "conversation"
        const val PLACE = "place"
        const val SPEECH = 1
        const val PERMISSION = 2
    }
}
