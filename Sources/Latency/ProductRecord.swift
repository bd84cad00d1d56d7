import BitplanKernels
import BitplanModels
import PlanFormat
import Synchronization

/// The products that a network really runs: what the description of a family's work is checked against.
package struct ProductRecord: Hashable, Sendable {
    /// Tokens of every product with a tensor, in order.
    package var tokens: [String: [Int]] = [:]
    /// Times that activations were prepared.
    package var preparations = 0

    /// Runs a workload on a network of this shape, over one-bit weights.
    package init(_ specimen: Specimen, _ workload: Workload) throws {
        let recorder = Recorder()
        let network = try specimen.network { shape in
            Recorded(
                tensor: shape.tensor,
                weights: try oneBit(rows: shape.rows, columns: shape.columns), recorder: recorder)
        }
        network.perform(workload)
        self = recorder.value
    }

    private init() {}

    /// Shared by the operators of a network.
    private final class Recorder: Sendable {
        private let record = Mutex(ProductRecord())

        var value: ProductRecord { record.withLock { $0 } }

        func change(_ body: (inout ProductRecord) -> Void) { record.withLock { body(&$0) } }
    }

    /// Records, and does as the operator inside.
    private struct Recorded: PreparingOperator {
        let tensor: String
        let weights: any PreparingOperator
        let recorder: Recorder

        var rows: Int { weights.rows }
        var columns: Int { weights.columns }
        var residentBytes: Int { weights.residentBytes }
        var preparation: Preparation { weights.preparation }
        func preparedBytes(tokens: Int) -> Int { weights.preparedBytes(tokens: tokens) }

        func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer) {
            recorder.change { $0.preparations += 1 }
            weights.prepare(x, tokens: tokens, into: prepared)
        }

        func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>) {
            recorder.change { $0.tokens[tensor, default: []].append(tokens) }
            weights.multiply(prepared: prepared, tokens: tokens, into: y)
        }

        func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
            weights.copyRow(row, into: destination)
        }
    }
}

private func oneBit(rows: Int, columns: Int) throws -> any PreparingOperator {
    try BinaryCodeMatrix(RandomWeights.packed(.bcq(1), rows: rows, columns: columns, seed: 0))
}

extension Specimen {
    /// A network of this shape over operators made for its matrices.
    func network(_ make: (MatrixShape) throws -> any LinearOperator) throws -> any Network {
        var matrices: [String: any LinearOperator] = [:]
        for shape in layout.sublayers.flatMap(\.matrices) { matrices[shape.tensor] = try make(shape) }
        let vectors = Dictionary(
            uniqueKeysWithValues: vectors.map { ($0.name, [Float](repeating: 0.01, count: $0.count)) })
        return try network(WeightTable(matrices: matrices, vectors: vectors))
    }
}
