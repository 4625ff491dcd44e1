package dev.edgetune.demo

import android.app.Activity
import android.content.Intent
import android.content.pm.PackageManager
import android.net.Uri
import android.view.View
import android.view.ViewGroup
import android.view.inputmethod.EditorInfo
import android.widget.EditText
import android.widget.TextView
import dev.edgetune.demo.bundles.writeBundle
import java.io.ByteArrayInputStream
import java.io.File
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** Somebody who holds the phone: sees what is shown, types and taps. */
class Person {
    val app: EdgetuneApp get() = RuntimeEnvironment.getApplication() as EdgetuneApp
    var controller: ActivityController<MainActivity> = Robolectric.buildActivity(MainActivity::class.java)
        private set
    val activity: MainActivity get() = controller.get()

    /** Starts the app with a bundle that is already there, and waits for it to be open. */
    fun begin(bundle: Boolean = true): Person {
        if (bundle) {
            writeBundle(File(app.filesDir, "bundles/phone"), "phone")
            app.bundles.begin(null)
        }
        controller.setup()
        if (bundle) waitFor("the bundle to be open") { find<EditText>(R.id.request).isEnabled }
        settle()
        return this
    }

    /** Puts the phone away; what the model was to say is forgotten. */
    fun end() {
        controller.close()
        Script.forget()
    }

    /** What Android does when the phone is turned, or when the process went away and comes back. */
    fun comeBack(process: Boolean) {
        if (!process) RuntimeEnvironment.setQualifiers("+land")
        val state = android.os.Bundle()
        controller.saveInstanceState(state).pause().stop().destroy()
        if (process) app.onCreate()
        controller = Robolectric.buildActivity(MainActivity::class.java).setup(state)
        settle()
    }

    /** Turns all lines around, as in a language that is written from the right, and leaves the words as they are. */
    fun readsFromTheRight() {
        find<View>(android.R.id.content).layoutDirection = View.LAYOUT_DIRECTION_RTL
        settle()
    }

    fun <T : View> find(id: Int): T = checkNotNull(activity.findViewById<T>(id)) { "no view $id" }

    fun go(place: Int) {
        tap(place)
    }

    fun ask(request: String) {
        find<EditText>(R.id.request).setText(request)
        find<EditText>(R.id.request).onEditorAction(EditorInfo.IME_ACTION_SEND)
        settle()
    }

    fun tap(id: Int) = tap(find<View>(id))

    fun tap(view: View) {
        assertTrue("$view can't be seen", view.isShown)
        assertTrue("$view can't be tapped", view.isEnabled && view.performClick())
        settle()
    }

    fun type(id: Int, text: String) {
        find<EditText>(id).setText(text)
        settle()
    }

    /** Taps what opens the system's picker, and picks [uri] there. */
    fun picks(id: Int, uri: Uri) {
        tap(id)
        val asked = shadowOf(activity).nextStartedActivityForResult
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(uri))
        started() // the picker
    }

    /** A file that the picker offers. */
    fun offers(name: String, content: ByteArray): Uri {
        val uri = Uri.parse("content://somewhere/$name")
        shadowOf(app.contentResolver).registerInputStreamSupplier(uri) { ByteArrayInputStream(content) }
        return uri
    }

    /** Lets the app not have the permission that it asks for, if any. */
    fun deniesWhatIsAsked() {
        val asked = shadowOf(activity).lastRequestedPermission ?: return
        val denied = IntArray(asked.requestedPermissions.size) { PackageManager.PERMISSION_DENIED }
        activity.onRequestPermissionsResult(asked.requestCode, asked.requestedPermissions, denied)
        settle()
    }

    fun agree() = tap(R.id.agree)

    fun refuse() = tap(R.id.refuse)

    fun sees(text: String): Boolean = shownTexts().any { text in it }

    fun mustSee(text: String) {
        waitFor("'$text' to be seen; there are ${shownTexts()}") { sees(text) }
    }

    /** All words on the screen; where a line may not break, a space is one like any other. */
    fun shownTexts(): List<String> = shown(activity.window.decorView).filterIsInstance<TextView>()
        .map { it.text.toString().replace('\u00A0', ' ') }

    /** The view that shows exactly [text]. */
    fun button(text: String): View =
        checkNotNull(shown(activity.window.decorView).firstOrNull { it is TextView && it.text.toString() == text }) {
            "no '$text' among ${shownTexts()}"
        }

    /** What Android was asked to start since the last time; null where nothing was. */
    fun started(): Intent? = shadowOf(activity).nextStartedActivity

    fun mustHaveStarted(): Intent = started().also { assertNotNull("nothing was started", it) }!!

    fun settle() = shadowOf(android.os.Looper.getMainLooper()).idle()

    fun waitFor(what: String, holds: () -> Boolean) {
        val end = System.nanoTime() + PATIENCE_NS
        while (true) {
            settle()
            if (holds()) return
            check(System.nanoTime() < end) { "waited in vain for $what" }
            Thread.sleep(5)
        }
    }

    private companion object {
        const val PATIENCE_NS = 60_000_000_000L
    }
}

/** [view] and all below it that are not hidden. */
fun shown(view: View): List<View> {
    if (view.visibility != View.VISIBLE) return emptyList()
    val below = if (view is ViewGroup) (0 until view.childCount).flatMap { shown(view.getChildAt(it)) } else emptyList()
    return listOf(view) + below
}
