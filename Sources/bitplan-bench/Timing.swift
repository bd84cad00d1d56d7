#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Seconds that this thread has computed: what others do on the machine meanwhile is not counted.
func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
}

/// The load of the machine over the last minute; nil where the system does not say.
func loadAverage() -> Double? {
    var load = 0.0
    return getloadavg(&load, 1) == 1 ? load : nil
}

/// Seconds of one call: the median of the repetitions and their quartiles.
struct Timing: Codable {
    let median: Double
    let lowerQuartile: Double
    let upperQuartile: Double

    init(_ seconds: [Double]) {
        let sorted = seconds.sorted()
        median = sorted[sorted.count / 2]
        lowerQuartile = sorted[sorted.count / 4]
        upperQuartile = sorted[sorted.count * 3 / 4]
    }
}

/// Times several bodies in alternation, so that all meet the same machine; each runs `calls` calls at a time.
///
/// - Parameter steady: every body runs some times untimed before each timing, so that it finds in the caches what it left there
///   itself, as the weights of a model that decodes token after token, and not what the others left. A last cache that learns which
///   lines are used again takes about ten turns for it.
func alternated(_ bodies: [() -> Void], calls: Int, repetitions: Int, steady: Bool = false) -> [Timing] {
    var seconds = [[Double]](repeating: [], count: bodies.count)
    for repetition in 0...repetitions {
        for (i, body) in bodies.enumerated() {
            for _ in 0..<(steady ? 10 : 0) { body() }
            let start = threadSeconds()
            body()
            // The first round only warms up.
            if repetition > 0 { seconds[i].append((threadSeconds() - start) / Double(calls)) }
        }
    }
    return seconds.map(Timing.init)
}
