package dev.edgetune.demo

import android.graphics.Color
import android.view.View
import android.widget.Button
import android.widget.FrameLayout
import android.widget.ImageButton
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** What looks at every screen finds what is wrong with one. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [34], application = ScriptedApp::class)
class LegibleTest {
    private val activity = Robolectric.buildActivity(MainActivity::class.java).setup().get()
    private val screen = FrameLayout(activity).also { it.setBackgroundColor(Color.WHITE) }

    private fun put(view: View, width: Int, height: Int, x: Int = 0, y: Int = 0) {
        val place = FrameLayout.LayoutParams(width, height)
        place.setMargins(x, y, 0, 0)
        screen.addView(view, place)
    }

    private fun text(words: String, color: Int = Color.BLACK) = TextView(activity).apply {
        text = words
        setTextColor(color)
    }

    private fun found(): List<String> {
        val exactly = View.MeasureSpec.makeMeasureSpec(SIDE, View.MeasureSpec.EXACTLY)
        screen.measure(exactly, exactly)
        screen.layout(0, 0, SIDE, SIDE)
        return illegible(screen)
    }

    private fun mustFind(what: String) = assertTrue("$what is not among ${found()}", found().single().contains(what))

    @Test
    fun `nothing is wrong with black words on white`() {
        put(text("black on white"), 300, 40)
        assertEquals(emptyList<String>(), found())
    }

    @Test
    fun `words that are cut off`() {
        put(text("two words"), 300, 10)
        mustFind("is higher than its view")
    }

    @Test
    fun `a word that breaks`() {
        put(text("Donaudampfschiff"), 40, 300)
        mustFind("has a word that breaks")
    }

    @Test
    fun `words that reach out of the screen`() {
        put(text("out"), 100, 40, x = SIDE - 50)
        mustFind("reaches out of")
    }

    @Test
    fun `words on other words`() {
        put(text("one"), 100, 40)
        put(text("other"), 100, 40, x = 10)
        mustFind("overlap")
    }

    @Test
    fun `a button without a name`() {
        put(ImageButton(activity), 100, 100)
        mustFind("says nothing to who can't see it")
    }

    @Test
    fun `a button that is too small for a thumb`() {
        val button = Button(activity).apply {
            text = "x"
            contentDescription = "close"
            setPadding(0, 0, 0, 0)
            setTextColor(Color.BLACK)
            setBackgroundColor(Color.WHITE)
            setOnClickListener {}
        }
        put(button, 40, 100)
        mustFind("is less than 48 dp")
    }

    @Test
    fun `words too pale for what is behind them, which is not their own background`() {
        val dark = FrameLayout(activity).also { it.setBackgroundColor(Color.BLACK) }
        dark.addView(text("black on black"))
        put(dark, 300, 60)
        mustFind("stands out by 1.00 and not 4.5")
    }

    @Test
    fun `large words may be paler`() {
        val grey = Color.rgb(0x80, 0x80, 0x80) // 3.95 on white
        put(text("small", grey), 200, 40)
        put(text("large", grey).apply { textSize = 30f }, 200, 60, y = 100)
        mustFind("TextView 'small': stands out by 3.95 and not 4.5")
    }

    private companion object {
        const val SIDE = 400
    }
}
