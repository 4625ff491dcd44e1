package dev.edgetune.demo.tools

import android.app.SearchManager
import android.content.Intent
import android.provider.MediaStore
import org.junit.Assert.assertEquals
import org.junit.Test

/** Maps, music and the web, which are other apps'. */
class OutsideToolsTest : ToolTest() {
    @Test
    fun `the way is shown on a map`() {
        val plain = given("navigate", "destination" to "12 Mill Lane", words = "Show the way to 12 Mill Lane")
        assertEquals("geo:0,0?q=12%20Mill%20Lane", plain.data.toString())
        val walk = given("navigate", "destination" to "the station", "mode" to "walking", words = "On foot")
        assertEquals("walking", walk.data!!.getQueryParameter("travelmode"))
        assertEquals("the station", walk.data!!.getQueryParameter("destination"))
    }

    @Test
    fun `music is searched for and played`() {
        val intent = given("play_music", "song" to "Blue", "artist" to "Joni", words = "Play “Blue”, Joni")
        assertEquals(MediaStore.INTENT_ACTION_MEDIA_PLAY_FROM_SEARCH, intent.action)
        assertEquals("Blue Joni", intent.getStringExtra(SearchManager.QUERY))
        assertEquals("Blue", intent.getStringExtra(MediaStore.EXTRA_MEDIA_TITLE))
        assertEquals("Joni", intent.getStringExtra(MediaStore.EXTRA_MEDIA_ARTIST))
        given("play_music", words = "Play music")
    }

    @Test
    fun `the web is searched by another app`() {
        val intent = given("search_web", "query" to "banana bread", words = "Search the web for “banana bread”")
        assertEquals(Intent.ACTION_WEB_SEARCH, intent.action)
        assertEquals("banana bread", intent.getStringExtra(SearchManager.QUERY))
    }
}
