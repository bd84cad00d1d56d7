import Kernels
import Models
import PlanFormat
import Quantizers
import Tensors

/// Encodes a whole model as a plan says, as the packed model will have it.
///
/// Calibrated codes are fitted in order of execution: every matrix sees the inputs Z that reach it through the layers already
/// quantized, and aims at what the full-precision layer makes of its own inputs X. So it makes up for errors that already happened,
/// which codes fitted alone (as the cells of a table are) cannot. Other codes depend on their matrix only.
public struct PlanEncoder<Family: ModelFamily>: Sendable {
    private let encodings: Encodings<Family>
    private let network: Family.Net
    private let batches: [[Family.Net.Example]]
    private let calibration: Calibration
    private let threads: Int

    /// An encoder of `encodings.model`.
    ///
    /// - Parameters:
    ///   - network: the model in full precision.
    ///   - text: calibration text; `calibration` is what `network` says of it.
    public init(
        _ encodings: Encodings<Family>, _ network: Family.Net, text: [Family.Net.Example],
        calibration: Calibration,
        threads: Int
    ) {
        self.encodings = encodings
        self.network = network
        self.calibration = calibration
        self.threads = threads
        batches = stride(from: 0, to: text.count, by: 32).map { Array(text[$0..<min($0 + 32, text.count)]) }
    }

    /// How the matrices of a plan come about: only calibrated codes depend on the others.
    public var encoding: Experiment.Encoding {
        encodings.fit == .calibrated && !batches.isEmpty ? .inOrder : .alone
    }

    /// The packed matrices of an assignment, by tensor.
    ///
    /// - Complexity: for calibrated codes about four runs over the text, and the encoding of every matrix.
    public func encode(_ assignment: Assignment) throws -> [String: PackedMatrix] {
        let sublayers = network.layout.sublayers
        var packed: [String: PackedMatrix] = [:]
        guard encoding == .inOrder else {
            for (sublayer, scheme) in zip(sublayers, assignment) {
                for shape in sublayer.matrices { packed[shape.tensor] = try encodings.packed(shape, scheme) }
            }
            return packed
        }
        var quantized = network
        // Before the first sublayer that `advance` runs: embeddings and what belongs to them, fitted to full-precision inputs.
        for shape in sublayers[0].matrices {
            try take(try encodings.packed(shape, assignment[0]), shape, &packed, &quantized)
        }
        var exact = try concurrentMap(count: batches.count, threads: threads) { network.start(batches[$0]) }
        var rounded = try concurrentMap(count: batches.count, threads: threads) { [quantized] in
            quantized.start(batches[$0])
        }
        for index in sublayers.indices.dropFirst() {
            for shape in sublayers[index].matrices {
                var context: CalibrationContext?
                if case .full = assignment[index] {
                } else {
                    context = try self.context(shape, index, exact, rounded, quantized)
                }
                let matrix = try context.map {
                    try Quantizer.encode(
                        try encodings.model.matrix(shape), as: assignment[index], fit: .calibrated,
                        context: $0)
                }
                try take(try matrix ?? encodings.packed(shape, assignment[index]), shape, &packed, &quantized)
            }
            exact = try advance(exact, index, network)
            rounded = try advance(rounded, index, quantized)
        }
        return packed
    }

    private func take(
        _ matrix: PackedMatrix, _ shape: MatrixShape, _ packed: inout [String: PackedMatrix],
        _ quantized: inout Family.Net
    ) throws {
        packed[shape.tensor] = matrix
        quantized = try quantized.replacing([shape.tensor: try LinearOperators.measuring(matrix)])
    }

    private func advance(_ states: [Family.Net.State], _ index: Int, _ network: Family.Net) throws -> [Family
        .Net.State]
    {
        try concurrentMap(count: states.count, threads: threads) {
            network.advance(states[$0], through: index, observing: nil)
        }
    }

    /// Z'Z and X'Z of a matrix; nil where its sublayer does not multiply with it (a head, a projection).
    private func context(
        _ shape: MatrixShape, _ index: Int, _ exact: [Family.Net.State], _ rounded: [Family.Net.State],
        _ quantized: Family.Net
    ) throws -> CalibrationContext? {
        let sums = try concurrentMap(count: batches.count, threads: threads) { batch -> (Matrix, Matrix)? in
            guard let x = input(shape.tensor, network, exact[batch], index),
                let z = input(shape.tensor, quantized, rounded[batch], index)
            else { return nil }
            let transposed = z.transposed()
            let product = DenseMatrix(transposed)
            return (product(transposed), product(x.transposed()))
        }
        guard var (moments, cross) = sums.first ?? nil else { return nil }
        for case let sum? in sums.dropFirst() {
            moments.add(sum.0)
            cross.add(sum.1)
        }
        var context = calibration.context(shape)
        context.moments = moments
        context.crossMoments = cross
        return context
    }

    /// What a matrix of sublayer `index` is multiplied with.
    private func input(_ tensor: String, _ network: Family.Net, _ state: Family.Net.State, _ index: Int)
        -> Matrix?
    {
        var input: Matrix?
        _ = network.advance(state, through: index) { name, x in
            if name == tensor { input = x }
        }
        return input
    }
}
