package dev.edgetune.demo.tools

import android.Manifest
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.provider.ContactsContract.CommonDataKinds.Phone
import android.telecom.TelecomManager
import android.telecom.VideoProfile
import dev.edgetune.demo.R
import dev.edgetune.demo.assistant.Call

/** Opens the dialler with a number: whether it rings is for the user's thumb. */
class CallTool(private val words: Words) : PhoneTool {
    override fun plan(call: Call): Plan {
        val contact = call.arguments["contact"].orEmpty()
        val kind = call.arguments["kind"]
        val told = when (kind) {
            "video" -> R.string.call_video
            "speaker" -> R.string.call_speaker
            else -> R.string.call_contact
        }
        return Plan.Ready(words.say(told, contact)) { hand ->
            val number = hand.numberOf(contact)
            val intent = Intent(Intent.ACTION_DIAL, Uri.fromParts("tel", number.orEmpty(), null))
            when (kind) {
                "video" -> intent.putExtra(
                    TelecomManager.EXTRA_START_CALL_WITH_VIDEO_STATE,
                    VideoProfile.STATE_BIDIRECTIONAL,
                )
                "speaker" -> intent.putExtra(TelecomManager.EXTRA_START_CALL_WITH_SPEAKERPHONE, true)
            }
            when {
                !hand.start(intent) -> words.say(R.string.no_app)
                number == null -> words.say(R.string.no_number, contact)
                else -> words.say(R.string.call_done)
            }
        }
    }
}

/** Drafts a message, in the app for text messages or the one that was asked for; never sends it. */
class MessageTool(private val words: Words) : PhoneTool {
    override fun plan(call: Call): Plan {
        val contact = call.arguments["contact"].orEmpty()
        val text = call.arguments["text"].orEmpty()
        val app = call.arguments["app"]
        val told = words.say(R.string.message_to, contact) + if (text.isEmpty()) "" else "\n“$text”"
        if (app != null) {
            val intent = Intent(Intent.ACTION_SEND).setType("text/plain").setPackage(PACKAGES[app])
                .putExtra(Intent.EXTRA_TEXT, text)
            return Plan.Ready("$told\n" + words.say(R.string.message_pick, app)) { hand ->
                words.say(if (hand.start(intent)) R.string.message_done else R.string.no_app)
            }
        }
        return Plan.Ready(told) { hand ->
            val number = hand.numberOf(contact)
            val intent = Intent(Intent.ACTION_SENDTO, Uri.fromParts("smsto", number.orEmpty(), null))
                .putExtra("sms_body", text)
            when {
                !hand.start(intent) -> words.say(R.string.no_app)
                number == null -> words.say(R.string.no_number, contact)
                else -> words.say(R.string.message_done)
            }
        }
    }

    private companion object {
        val PACKAGES = mapOf(
            "whatsapp" to "com.whatsapp",
            "signal" to "org.thoughtcrime.securesms",
            "telegram" to "org.telegram.messenger",
        )
    }
}

private val NUMBER = Regex("[+0-9][0-9 ()./-]*")

/** The number that is [contact], or that the contact of this name has; null where nobody may know. */
private suspend fun Hand.numberOf(contact: String): String? {
    if (NUMBER.matches(contact)) return contact
    return if (permit(Manifest.permission.READ_CONTACTS)) lookedUp(context, contact) else null
}

private fun lookedUp(context: Context, contact: String): String? {
    val uri = Uri.withAppendedPath(Phone.CONTENT_FILTER_URI, Uri.encode(contact))
    return context.contentResolver.query(uri, arrayOf(Phone.NUMBER), null, null, null)?.use {
        if (it.moveToFirst()) it.getString(0) else null
    }
}
