import Dispatch
import Foundation

/// Calls `body` with runs of rows that together are `0..<rows`, on at most `threads` threads.
///
/// A run's work may depend on nothing but its rows, so the bytes written are the same for any number of
/// threads.
package func forEachRun(rows: Int, threads: Int?, minimumRows: Int = 16, _ body: (Range<Int>) -> Void) {
    let workers = max(
        1, min(threads ?? ProcessInfo.processInfo.activeProcessorCount, rows / max(1, minimumRows)))
    guard workers > 1 else {
        if rows > 0 { body(0..<rows) }
        return
    }
    withoutActuallyEscaping(body) { escaping in
        // Runs share nothing that they write.
        nonisolated(unsafe) let body = escaping
        DispatchQueue.concurrentPerform(iterations: workers) { worker in
            body(rows * worker / workers..<rows * (worker + 1) / workers)
        }
    }
}
