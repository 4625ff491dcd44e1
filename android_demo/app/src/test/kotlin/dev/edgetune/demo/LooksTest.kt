package dev.edgetune.demo

import android.graphics.drawable.ColorDrawable
import android.view.View
import android.widget.TextView
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** The app looks as the phone is set. What every screen looks like then: PicturesTest. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = ScriptedApp::class)
class LooksTest {
    private val person = Person()

    @After
    fun end() = person.end()

    private fun ground(): Double = luminance((person.activity.window.decorView.background as ColorDrawable).color)

    private fun ink(): Double = luminance(person.find<TextView>(R.id.ready).currentTextColor)

    @Test
    fun `it is light by day`() {
        person.begin()
        assertTrue("${ground()} ${ink()}", ground() > 0.9 && ink() < 0.1)
        assertTrue(person.activity.window.decorView.systemUiVisibility and View.SYSTEM_UI_FLAG_LIGHT_STATUS_BAR != 0)
    }

    @Test
    fun `it is dark where the phone is`() {
        RuntimeEnvironment.setQualifiers("+night")
        person.begin()
        assertTrue("${ground()} ${ink()}", ground() < 0.1 && ink() > 0.7)
    }

    @Test
    fun `all words grow with the font scale`() {
        person.begin()
        val sizes = listOf(R.id.ready, R.id.hint, R.id.request)
        val before = sizes.map { person.find<TextView>(it).textSize }
        RuntimeEnvironment.setFontScale(2f)
        person.comeBack(process = false)
        // Not twice: Android 14 enlarges large words by less.
        val after = sizes.map { person.find<TextView>(it).textSize }
        assertTrue("$before $after", before.zip(after).all { (small, large) -> large >= 1.6 * small })
    }

    @Test
    fun `what is written from the right begins at the right`() {
        RuntimeEnvironment.setQualifiers("iw")
        person.begin()
        val (request, send) = person.find<View>(R.id.request) to person.find<View>(R.id.send)
        assertTrue("${send.left} ${request.left}", send.left < request.left)
        val (first, last) = person.find<View>(R.id.to_ask) to person.find<View>(R.id.to_memory)
        assertTrue("${first.left} ${last.left}", first.left > last.left)
    }

    @Test
    fun `it speaks the phone's language`() {
        RuntimeEnvironment.setQualifiers("de")
        person.begin(bundle = false)
        person.mustSee("Noch kein Bundle da.")
        person.go(R.id.to_memory)
        person.mustSee("Speicher")
    }

    @Test
    fun `every sentence is there in both languages`() {
        val names = R.string::class.java.fields.map { it.name to it.getInt(null) }
        person.begin(bundle = false)
        val english = names.associate { (name, id) -> name to person.app.getString(id) }
        RuntimeEnvironment.setQualifiers("de")
        val same = names.filter { (name, id) -> person.app.getString(id) == english[name] }.map { it.first }
        val alike = listOf("app_name", "bundles", "dirty", "pss", "setting_bluetooth", "took")
        assertEquals(alike, same.sorted())
    }
}
