#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif
import BitplanLatency
import BitplanTensors

/// The load of the machine over the last minute; nil where the system does not say.
func loadAverage() -> Double? {
    var load = 0.0
    return getloadavg(&load, 1) == 1 ? load : nil
}

/// Times several bodies in alternation, so that all meet the same machine; each runs `calls` calls at a time.
///
/// - Parameter steady: every body runs some times untimed before each timing, so that it finds in the caches
///   what it left there itself, as the weights of a model that decodes token after token, and not what the
///   others left. A last cache that learns which lines are used again takes about ten turns for it.
func alternated(_ bodies: [() -> Void], calls: Int, repetitions: Int, steady: Bool = false) -> [Timing] {
    var seconds = [[Double]](repeating: [], count: bodies.count)
    for repetition in 0...repetitions {
        for (i, body) in bodies.enumerated() {
            for _ in 0..<(steady ? 10 : 0) { body() }
            let time = threadSeconds(of: body)
            // The first round only warms up.
            if repetition > 0 { seconds[i].append(time / Double(calls)) }
        }
    }
    return seconds.map(Timing.init)
}
