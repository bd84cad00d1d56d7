import BitplanKernels
import Dispatch
import Foundation
import Synchronization

/// Calls `body` for every index below `count`, on at most `threads` threads; results stand in order of the
/// index. The threads share the products of a single index.
///
/// Work is handed out index by index, so uneven items balance; the results do not depend on who computed
/// them. Of several errors the one of the lowest index is thrown.
package func concurrentMap<Value: Sendable>(
    count: Int, threads: Int, _ body: @Sendable (Int) throws -> Value
) throws -> [Value] {
    if count == 1 {
        let threads = min(threads, ProcessInfo.processInfo.activeProcessorCount)
        return [try ProductTeam.sharing(threads: threads) { try body(0) }]
    }
    if threads <= 1 || count == 0 { return try (0..<count).map(body) }
    let results = Mutex([Result<Value, any Error>?](repeating: nil, count: count))
    let next = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: min(threads, count)) { _ in
        while true {
            let index = next.withLock { value in
                defer { value += 1 }
                return value
            }
            guard index < count else { return }
            let result = Result { try body(index) }
            results.withLock { $0[index] = result }
        }
    }
    return try results.withLock { $0 }.compactMap { try $0?.get() }
}
