import Kernels
import Tensors

/// A linear layer: `y = x W^T + b`.
struct Linear: Sendable {
    let name: String
    let weight: any LinearOperator
    let bias: [Float]

    /// Takes `<name>.weight` and `<name>.bias`.
    init(_ name: String, _ weights: WeightTable) throws(MissingWeight) {
        self.name = name + ".weight"
        weight = try weights.matrix(self.name)
        bias = try weights.vector(name + ".bias")
    }

    func callAsFunction(_ x: Matrix, observing: ((String, Matrix) -> Void)? = nil) -> Matrix {
        observing?(name, x)
        var y = weight(x)
        y.add(bias)
        return y
    }
}

extension Matrix {
    /// Adds `vector` to every row.
    mutating func add(_ vector: [Float]) {
        let (rows, columns) = (rows, columns)
        storage.withUnsafeMutableBufferPointer { y in
            vector.withUnsafeBufferPointer { b in
                guard let y = y.baseAddress, let b = b.baseAddress else { return }
                for row in 0..<rows { Kernels.add(b, to: y + row * columns, count: columns) }
            }
        }
    }
}
