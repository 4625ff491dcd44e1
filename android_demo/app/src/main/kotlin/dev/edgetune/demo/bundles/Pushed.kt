package dev.edgetune.demo.bundles

import java.io.File

/**
 * Bundles that a computer pushed with `edgetune sideload`: whole folders below `bundles/` of the app's
 * external files. Each is taken in and then removed there; one that is refused stays, and is looked at
 * again when it was pushed anew (docs/phone.md).
 */
class Pushed(private val external: File?) {
    private val seen = HashSet<Pair<String, Long>>()

    /** Takes in the first one that has come and was not seen yet, unless another is on its way in. */
    fun takeIn(model: BundlesModel) {
        if (model.state.value.import != null) return
        val folder = waiting().firstOrNull { seen.add(it.name to File(it, DIGEST).lastModified()) } ?: return
        model.take(folder.name, { FolderSource(folder) }, keepProblem = true) { folder.deleteRecursively() }
    }

    private fun waiting(): List<File> =
        external?.let { File(it, "bundles") }?.listFiles { each -> each.isDirectory }.orEmpty().sorted()
}
