import BitplanKernels
import BitplanTensors
import PlanFormat

/// Hands a sublayer its weights as it is made, and writes down what it asks for: a sublayer's matrices and
/// vectors are those that its initializer reads, named nowhere else.
struct ParameterReader {
    /// nil where only names and shapes are asked for.
    private let weights: WeightTable?
    private(set) var matrices: [MatrixShape] = []
    private(set) var vectors: [(name: String, count: Int)] = []

    init(_ weights: WeightTable?) { self.weights = weights }

    /// The matrix of this name and shape.
    ///
    /// - Throws: `MissingWeight` where there are weights and it is not among them.
    mutating func matrix(
        _ name: String, rows: Int, columns: Int
    ) throws(MissingWeight) -> any LinearOperator {
        matrices.append(MatrixShape(tensor: name, rows: rows, columns: columns))
        guard let weights else { return MatrixOutline(rows: rows, columns: columns) }
        return try weights.matrix(name)
    }

    /// The vector of this name and length; empty where only names and shapes are asked for.
    ///
    /// - Throws: `MissingWeight` where there are weights and it is not among them.
    mutating func vector(_ name: String, count: Int) throws(MissingWeight) -> [Float] {
        vectors.append((name, count))
        return try weights?.vector(name) ?? []
    }
}

/// The place of a matrix in a network that is asked for its shape and never run.
private struct MatrixOutline: LinearOperator {
    let rows: Int
    let columns: Int
    var residentBytes: Int { 0 }

    func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        preconditionFailure("an outline has no weights")
    }

    func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        preconditionFailure("an outline has no weights")
    }
}
