#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The time that this thread has computed: what others do on the machine meanwhile is not counted.
package enum ThreadClock {
    /// Seconds since the thread started.
    package static var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    /// Seconds that `body` computes.
    package static func measure(_ body: () throws -> Void) rethrows -> Double {
        let start = seconds
        try body()
        return seconds - start
    }
}

/// Repeated measurements of one thing.
package struct Timing: Codable, Hashable, Sendable {
    /// The median.
    package let median: Double
    /// Half the distance of the quartiles, as a part of the median.
    package let spread: Double

    /// The median and spread of `seconds`, which must not be empty.
    package init(_ seconds: [Double]) {
        precondition(!seconds.isEmpty, "a median of nothing")
        let sorted = seconds.sorted()
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        spread =
            median > 0
            ? (sorted[sorted.count * 3 / 4] - sorted[sorted.count / 4]) / (2 * median) : 0
    }
}
