import BitplanKernels
import BitplanTensors

/// A model's weights by their names in the checkpoint: matrices behind products, vectors as numbers.
package struct WeightTable: Sendable {
    /// Weight matrices: dense for measuring, packed for running.
    package var matrices: [String: any LinearOperator]
    /// Biases and norms.
    package var vectors: [String: [Float]]

    /// A table of these weights.
    package init(matrices: [String: any LinearOperator], vectors: [String: [Float]]) {
        self.matrices = matrices
        self.vectors = vectors
    }

    /// The table with some weights replaced: a probe.
    package func replacing(
        _ replacements: [String: any LinearOperator], vectors: [String: [Float]] = [:]
    ) -> WeightTable {
        var table = self
        table.matrices.merge(replacements) { _, new in new }
        table.vectors.merge(vectors) { _, new in new }
        return table
    }

    /// A matrix that must be there.
    ///
    /// - Throws: `MissingWeight` where the table has no matrix of this name.
    package func matrix(_ name: String) throws(MissingWeight) -> any LinearOperator {
        guard let matrix = matrices[name] else { throw MissingWeight(name: name) }
        return matrix
    }

    /// A vector that must be there.
    ///
    /// - Throws: `MissingWeight` where the table has no vector of this name.
    package func vector(_ name: String) throws(MissingWeight) -> [Float] {
        guard let vector = vectors[name] else { throw MissingWeight(name: name) }
        return vector
    }

    /// Bytes that all weights take in memory.
    package var residentBytes: Int {
        matrices.values.reduce(0) { $0 + $1.residentBytes } + vectors.values.reduce(0) { $0 + 4 * $1.count }
    }
}

/// A weight that the model needs and its files do not have.
package struct MissingWeight: Error, CustomStringConvertible {
    /// The tensor's name.
    package let name: String

    /// Names the tensor.
    package var description: String { "the model's files have no tensor '\(name)'" }
}
