import BitplanKernels
import BitplanTensors
import PlanFormat

/// The whole gradients of all weights, by tensor: a product's `dY^T X`, looked-up rows, vectors.
package final class GradientTable: GradientSink {
    /// Gradients of matrices.
    package private(set) var matrices: [String: Matrix] = [:]
    /// Gradients of biases and norms.
    package private(set) var vectors: [String: [Float]] = [:]
    private let shapes: [String: (rows: Int, columns: Int)]

    /// A table for a network of this layout, whose gradients are 0 until a backward adds to them.
    package init(_ layout: ModelLayout) {
        shapes = Dictionary(
            uniqueKeysWithValues: layout.sublayers.flatMap(\.matrices).map {
                ($0.tensor, ($0.rows, $0.columns))
            })
    }

    /// Adds `dY^T X`.
    package func product(_ tensor: String, _ product: ProductGradient) {
        change(tensor) { addWeightGradient(product.outputGradient, product.input, to: &$0) }
    }

    /// Adds the gradients of rows, in their order.
    package func lookup(_ tensor: String, rows: [Int], _ gradient: Matrix) {
        change(tensor) { $0.add(gradient, toRows: rows) }
    }

    /// Adds the gradient of a vector.
    package func vector(_ name: String, _ gradient: [Float]) {
        vectors[name] = vectors[name].map { zip($0, gradient).map { $0 + $1 } } ?? gradient
    }

    private func change(_ tensor: String, _ body: (inout Matrix) -> Void) {
        guard let shape = shapes[tensor] else { return }
        body(&matrices[tensor, default: Matrix(rows: shape.rows, columns: shape.columns)])
    }
}

extension Matrix {
    /// Adds row t of another matrix to row `places[t]`, in the order of t.
    package mutating func add(_ other: Matrix, toRows places: [Int]) {
        precondition(columns == other.columns && places.count == other.rows, "shapes differ")
        let columns = columns
        storage.withUnsafeMutableBufferPointer { own in
            other.storage.withUnsafeBufferPointer { other in
                guard let own = own.baseAddress, let other = other.baseAddress else { return }
                for (row, place) in places.enumerated() {
                    BitplanKernels.add(other + row * columns, to: own + place * columns, count: columns)
                }
            }
        }
    }
}
