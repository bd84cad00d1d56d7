import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import PlanFormat
import Synchronization

/// What calibration text says of a network: the second moments H = X'X of every matrix's inputs, which
/// calibrated codes are fitted to, and how often each token occurs, which orders the clusters of an
/// embedding.
package struct Calibration: Sendable {
    /// By tensor: (columns, columns), summed over tokens; empty unless codes are calibrated or they were
    /// asked for.
    package let moments: [String: Matrix]
    /// What predictions make of errors in outputs; empty unless codes are fitted to it.
    let curvature: OutputCurvature
    /// Occurrences of each row of the matrices whose rows are tokens, by tensor.
    package let frequencies: [String: [Double]]
    private let fit: CodeFit

    /// Counts the tokens of `examples` and, for calibrated codes, runs `network` over them.
    ///
    /// - Parameters:
    ///   - gathersMoments: whether `moments` are wanted for codes that are not calibrated too, as proxies of
    ///     losses need them.
    ///   - seesSublayers: whether the moments of the inputs inside the sublayers are wanted, beside those of
    ///     the output projection.
    package init<Net: Network>(
        _ network: Net, _ examples: [Net.Example], fit: CodeFit, gathersMoments: Bool = false,
        seesSublayers: Bool = true, threads: Int = 2
    ) throws {
        self.fit = fit
        var frequencies: [String: [Double]] = [:]
        for (place, tensor) in network.tokenMatrices.enumerated() {
            let rows = network.layout.sublayers.flatMap(\.matrices).first { $0.tensor == tensor }?.rows ?? 0
            frequencies[tensor] = examples.reduce(into: [Double](repeating: 0, count: rows)) {
                counts, example in
                for token in network.tokenRows(example)[place] { counts[token] += 1 }
            }
        }
        self.frequencies = frequencies
        moments =
            fit.isCalibrated || gathersMoments
            ? try Self.moments(
                network, examples, seesSublayers: seesSublayers, threads: threads, batchSize: 32) : [:]
        curvature =
            fit == .curvature
            ? try OutputCurvature(network, examples, threads: threads) : OutputCurvature()
    }

    /// Whether a matrix is a table whose rows are tokens.
    package func isEmbedding(_ shape: MatrixShape) -> Bool { frequencies[shape.tensor] != nil }

    /// How much look-ups count beside the output projection; see `CalibrationContext.lookupWeight`.
    private static var lookupWeight: Double { 3 }

    /// What the fit of a matrix may know. A token embedding is also looked up by row, where every channel
    /// counts alike; so is a matrix that no product reads (an embedding without an output projection,
    /// positions).
    package func context(_ shape: MatrixShape) -> CalibrationContext {
        let isEmbedding = isEmbedding(shape)
        let fitted = fit.isCalibrated ? moments[shape.tensor] ?? Matrix.identity(shape.columns) : nil
        return CalibrationContext(
            moments: fitted, outputMoments: curvature.moments[shape.tensor],
            lookupWeight: isEmbedding ? Self.lookupWeight : 0, rowFrequencies: frequencies[shape.tensor])
    }

    /// Adds up the moments of all inputs, padding left out (there is none).
    ///
    /// - Complexity: O(tokens * columns^2) a matrix. Batches are summed in order, so the result does not
    ///   depend on `threads`.
    private static func moments<Net: Network>(
        _ network: Net, _ examples: [Net.Example], seesSublayers: Bool, threads: Int, batchSize: Int
    ) throws -> [String: Matrix] {
        var total: [String: Matrix] = [:]
        let batches = stride(from: 0, to: examples.count, by: batchSize).map {
            Array(examples[$0..<min($0 + batchSize, examples.count)])
        }
        // A round at a time, so that few sums are in memory; rounds of fixed size, so that the order of sums
        // is fixed.
        for first in stride(from: 0, to: batches.count, by: 4) {
            let round = Array(batches[first..<min(first + 4, batches.count)])
            for sums in try concurrentMap(
                count: round.count, threads: threads,
                { Calibration.moments(network, round[$0], seesSublayers: seesSublayers) })
            {
                for (name, sum) in sums {
                    if total[name] == nil { total[name] = sum } else { total[name]?.add(sum) }
                }
            }
        }
        return total
    }

    private static func moments<Net: Network>(
        _ network: Net, _ batch: [Net.Example], seesSublayers: Bool
    ) -> [String: Matrix] {
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
        let state = network.state(batch, observing: seesSublayers ? ForwardObserver(products: observe) : nil)
        let outputs = network.outputs(state)
        if network.outputProjection != nil, outputs.rows > 0 {
            // One product of the outputs: one row says of which matrix, and no text's logits are computed for
            // that.
            let observer = ForwardObserver { name, _ in observe(name, outputs) }
            _ = network.logits(outputs.slice(rows: 0..<1), observing: observer)
        } else {
            _ = network.logits(outputs, observing: ForwardObserver(products: observe))
        }
        return sums
    }
}

extension Matrix {
    fileprivate static func identity(_ size: Int) -> Matrix {
        var matrix = Matrix(rows: size, columns: size)
        for i in 0..<size { matrix[i, i] = 1 }
        return matrix
    }
}
