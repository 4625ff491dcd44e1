package dev.edgetune.demo.tools

import android.app.SearchManager
import android.content.Intent
import android.net.Uri
import android.provider.MediaStore
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Call

/** The way to a place, in whatever app shows maps. */
class MapTool(private val words: Words) : PhoneTool {
    override fun plan(call: Call): Plan {
        val destination = call.arguments["destination"].orEmpty()
        val mode = call.arguments["mode"]?.let(MODES::get)
        val uri = if (mode == null) {
            Uri.parse("geo:0,0?q=" + Uri.encode(destination))
        } else {
            // The one form of a link that says how to travel; maps apps answer to it, else a browser.
            Uri.parse("https://www.google.com/maps/dir/?api=1").buildUpon()
                .appendQueryParameter("destination", destination)
                .appendQueryParameter("travelmode", mode.first).build()
        }
        val told = words.say(R.string.way_to, destination) +
            mode?.let { "\n" + words.say(it.second) }.orEmpty()
        return Plan.Ready(told, words.starting(Intent(Intent.ACTION_VIEW, uri), R.string.map_done))
    }

    private companion object {
        val MODES = mapOf(
            "walking" to ("walking" to R.string.mode_walking),
            "driving" to ("driving" to R.string.mode_driving),
            "cycling" to ("bicycling" to R.string.mode_cycling),
            "transit" to ("transit" to R.string.mode_transit),
        )
    }
}

/** Music, in whatever app plays what is searched for. */
class MusicTool(private val words: Words) : PhoneTool {
    override fun plan(call: Call): Plan {
        val (song, artist) = call.arguments["song"] to call.arguments["artist"]
        val genre = call.arguments["genre"]
        val intent = Intent(MediaStore.INTENT_ACTION_MEDIA_PLAY_FROM_SEARCH)
            .putExtra(SearchManager.QUERY, listOfNotNull(song, artist, genre).joinToString(" "))
            .putExtra(MediaStore.EXTRA_MEDIA_FOCUS, focus(song, artist, genre))
        song?.let { intent.putExtra(MediaStore.EXTRA_MEDIA_TITLE, it) }
        artist?.let { intent.putExtra(MediaStore.EXTRA_MEDIA_ARTIST, it) }
        genre?.let { intent.putExtra(MediaStore.EXTRA_MEDIA_GENRE, it) }
        val what = listOfNotNull(song?.let { "“$it”" }, artist, genre).joinToString(", ")
        val told = if (what.isEmpty()) words.say(R.string.play_any) else words.say(R.string.play, what)
        return Plan.Ready(told, words.starting(intent, R.string.music_done))
    }

    private fun focus(song: String?, artist: String?, genre: String?): String = when {
        song != null -> "vnd.android.cursor.item/audio"
        artist != null -> MediaStore.Audio.Artists.ENTRY_CONTENT_TYPE
        genre != null -> MediaStore.Audio.Genres.ENTRY_CONTENT_TYPE
        else -> "vnd.android.cursor.item/*"
    }
}

/** A search of the web, by whatever app searches it: this one never touches the network. */
class SearchTool(private val words: Words) : PhoneTool {
    override fun plan(call: Call): Plan {
        val query = call.arguments["query"].orEmpty()
        val intent = Intent(Intent.ACTION_WEB_SEARCH).putExtra(SearchManager.QUERY, query)
        return Plan.Ready(words.say(R.string.search_for, query), words.starting(intent, R.string.search_done))
    }
}
