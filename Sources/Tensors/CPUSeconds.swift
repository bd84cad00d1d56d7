import Foundation

/// CPU seconds that all threads of this program have used: what parts of a sweep cost, whatever else the
/// machine is doing.
package func processSeconds() -> Double { seconds(CLOCK_PROCESS_CPUTIME_ID) }

/// CPU seconds that this thread has used: what others do on the machine meanwhile is not counted.
package func threadSeconds() -> Double { seconds(CLOCK_THREAD_CPUTIME_ID) }

/// CPU seconds that `body` takes on this thread.
package func threadSeconds(of body: () throws -> Void) rethrows -> Double {
    let start = threadSeconds()
    try body()
    return threadSeconds() - start
}

private func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    return clock_gettime(clock, &time) == 0 ? Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec) : 0
}
