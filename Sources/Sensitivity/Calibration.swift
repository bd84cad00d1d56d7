import Kernels
import Models
import PlanFormat
import Quantizers
import Synchronization
import Tensors

/// Second moments H = X'X of what every matrix of a network sees on calibration text: what calibrated codes are fitted to.
public struct Calibration: Sendable {
    /// By tensor: (columns, columns). Matrices with equal inputs share one entry's storage.
    public let moments: [String: Matrix]

    /// Runs `network` over `examples` and adds up the moments of all inputs, padding left out (there is none).
    ///
    /// - Complexity: O(tokens * columns^2) a matrix. Batches are summed in order, so the result does not depend on `threads`.
    public init<Net: Network>(_ network: Net, _ examples: [Net.Example], threads: Int = 2, batchSize: Int = 32) throws {
        var total: [String: Matrix] = [:]
        let batches = stride(from: 0, to: examples.count, by: batchSize).map {
            Array(examples[$0..<min($0 + batchSize, examples.count)])
        }
        // A round at a time: the sums of a round are added in order of its batches.
        for first in stride(from: 0, to: batches.count, by: threads) {
            let round = Array(batches[first..<min(first + threads, batches.count)])
            for sums in try concurrentMap(count: round.count, threads: threads, { Calibration.moments(network, round[$0]) }) {
                for (name, sum) in sums {
                    if total[name] == nil { total[name] = sum } else { total[name]?.add(sum) }
                }
            }
        }
        moments = total
    }

    private static func moments<Net: Network>(_ network: Net, _ batch: [Net.Example]) -> [String: Matrix] {
        var sums: [String: Matrix] = [:]
        var last: (input: Matrix, moments: Matrix)?
        func observe(_ name: String, _ x: Matrix) {
            // Queries, keys and values see the same input: computed once, stored once.
            let moments: Matrix
            if let last, last.input == x {
                moments = last.moments
            } else {
                let transposed = x.transposed()
                moments = DenseMatrix(transposed)(transposed)
                last = (x, moments)
            }
            sums[name] = moments
        }
        let state = network.state(batch, observing: observe)
        _ = network.logits(network.outputs(state), observing: observe)
        return sums
    }

    /// What the fit of `shape` may know. The tied embedding is also looked up by row, where every channel counts alike.
    public func context(_ shape: MatrixShape, isEmbedding: Bool, frequencies: [Double]? = nil) -> CalibrationContext {
        CalibrationContext(
            moments: moments[shape.tensor], lookupWeight: isEmbedding ? 1 : 0,
            rowFrequencies: isEmbedding ? frequencies : nil)
    }
}
