package dev.edgetune.demo.bundles

import dev.edgetune.core.EdgetuneException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** All that the place *Bundles* shows. */
data class BundlesState(
    val bundles: List<Shelved> = emptyList(),
    /** The one that answers. */
    val chosen: String? = null,
    val import: Import? = null,
    /** What was wrong with the last one that was to come in, in a sentence. */
    val problem: String? = null,
)

/** A bundle on its way in. */
data class Import(val from: String, val doneBytes: Long = 0, val allBytes: Long = 0)

/** Lists, takes in, chooses and removes bundles; [files] is where reading and writing happens. */
class BundlesModel(
    private val scope: CoroutineScope,
    private val files: CoroutineDispatcher,
    private val shelf: Shelf,
    private val intake: Intake,
    /** Is told which bundle answers from now on; null for none. */
    private val choose: (String?) -> Unit,
) {
    private val mutable = MutableStateFlow(BundlesState())
    private var work: Job? = null

    val state: StateFlow<BundlesState> = mutable

    /** Shows what is here; [chosen] answers if it is, else the first one. */
    fun begin(chosen: String?) {
        scope.launch {
            val bundles = withContext(files) {
                shelf.tell()
                shelf.list()
            }
            show(bundles, bundles.firstOrNull { it.name == chosen } ?: bundles.firstOrNull { it.problem == null })
        }
    }

    /**
     * Takes in what [open] gives, called [from] meanwhile; [after] is called with the name of the bundle
     * once it is in. Only one comes in at a time. With [keepProblem] what was wrong with the one before
     * stays on the screen.
     */
    fun take(
        from: String,
        open: () -> Source,
        keepProblem: Boolean = false,
        after: (String) -> Unit = {},
    ) {
        if (state.value.import != null) return
        mutable.update { it.copy(import = Import(from), problem = if (keepProblem) it.problem else null) }
        work = scope.launch {
            try {
                val name = withContext(files) {
                    open().use { source ->
                        intake.take(source) { done, all ->
                            ensureActive()
                            mutable.update { it.copy(import = Import(from, done, all)) }
                        }.also(after)
                    }
                }
                val bundles = withContext(files) { shelf.list() }
                if (name == state.value.chosen) choose(null) // its files are others now
                show(bundles, bundles.first { it.name == name })
            } catch (stopped: CancellationException) {
                throw stopped
            } catch (error: EdgetuneException) {
                mutable.update { it.copy(problem = error.message) }
            } finally {
                mutable.update { it.copy(import = null) }
            }
        }
    }

    fun cancel() {
        work?.cancel()
    }

    fun choose(name: String) {
        show(state.value.bundles, state.value.bundles.firstOrNull { it.name == name })
    }

    fun remove(name: String) {
        if (name == state.value.chosen) choose(null)
        scope.launch {
            val bundles = withContext(files) {
                shelf.remove(name)
                shelf.list()
            }
            val chosen = state.value.chosen?.takeIf { it != name }
            show(bundles, bundles.firstOrNull { it.name == chosen } ?: bundles.firstOrNull { it.problem == null })
        }
    }

    private fun show(bundles: List<Shelved>, chosen: Shelved?) {
        mutable.update { it.copy(bundles = bundles, chosen = chosen?.name) }
        choose(chosen?.name)
    }
}
