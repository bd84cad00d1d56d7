import BitplanKernels
import BitplanTensors
import PlanFormat

/// A fixed piece of work that says how fast the machine is right now.
///
/// Where other programs share the caches or the cores, everything takes longer, for moments or for minutes.
/// So every timing here is a ratio to this work, done just before and after, and becomes seconds by what it
/// takes while no other process slows it.
package final class ReferenceWork {
    private let dense: any LinearOperator
    private let packed: any LinearOperator
    private let x: Matrix
    private let y: UnsafeMutablePointer<Float>
    private var samples: [Double] = []

    /// Prepares the work.
    package init() throws {
        dense = try RandomWeights.make(.fp32, rows: 256, columns: 256, seed: 0)
        packed = try RandomWeights.make(.bcq(3), rows: 512, columns: 256, seed: 1)
        x = RandomWeights.activations(tokens: 1, columns: 256)
        y = .allocate(capacity: 512)
        y.initialize(repeating: 0, count: 512)
    }

    deinit { y.deallocate() }

    private static let calls = 6

    /// Seconds that the work takes now.
    private func sample() -> Double {
        func once() {
            dense.multiply(x.storage, tokens: 1, into: y)
            packed.multiply(x.storage, tokens: 1, into: y)
            softmax(y, count: 256)
        }
        // What was displaced from the nearest caches comes back first.
        once()
        let seconds = threadSeconds { for _ in 0..<Self.calls { once() } } / Double(Self.calls)
        samples.append(seconds)
        return seconds
    }

    /// What `body` takes, in units of this work.
    package func ratio(of body: () throws -> Void) rethrows -> Double {
        try inUnits { try threadSeconds(of: body) }
    }

    /// The seconds that `body` returns, in units of this work.
    package func inUnits(_ body: () throws -> Double) rethrows -> Double {
        let before = sample()
        let seconds = try body()
        return 2 * seconds / (before + sample())
    }

    /// Seconds of the work while no other process slows it: a low quantile of all that was sampled.
    package var undisturbedSeconds: Double {
        let sorted = samples.sorted()
        return sorted.isEmpty ? sample() : sorted[sorted.count / 10]
    }

    /// Median seconds of the work since it was prepared.
    package var medianSeconds: Double { samples.isEmpty ? sample() : Timing(samples).median }
}
