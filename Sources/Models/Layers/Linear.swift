import BitplanKernels
import BitplanTensors

/// A linear layer: `y = x W^T + b`, or `x W^T` where the model has no bias there.
struct Linear: Sendable {
    let name: String
    let weight: any LinearOperator
    let bias: [Float]?

    /// Takes `<name>.weight` and, where there is one, `<name>.bias`.
    init(_ name: String, hasBias: Bool = true, _ weights: WeightTable) throws(MissingWeight) {
        self.name = name + ".weight"
        weight = try weights.matrix(self.name)
        bias = hasBias ? try weights.vector(name + ".bias") : nil
    }

    func callAsFunction(_ x: Matrix, observing: ((String, Matrix) -> Void)? = nil) -> Matrix {
        observing?(name, x)
        var y = weight(x)
        if let bias { y.add(bias) }
        return y
    }

    /// Several layers of one input, which is prepared once for those whose weights can share that.
    static func together(
        _ layers: [Linear], _ x: Matrix, observing: ((String, Matrix) -> Void)? = nil
    ) -> [Matrix] {
        if let observing { for layer in layers { observing(layer.name, x) } }
        var results = multiplyTogether(layers.map(\.weight), x)
        for (index, layer) in layers.enumerated() {
            if let bias = layer.bias { results[index].add(bias) }
        }
        return results
    }
}

extension Matrix {
    /// Adds `vector` to every row.
    mutating func add(_ vector: [Float]) {
        let (rows, columns) = (rows, columns)
        storage.withUnsafeMutableBufferPointer { y in
            vector.withUnsafeBufferPointer { b in
                guard let y = y.baseAddress, let b = b.baseAddress else { return }
                for row in 0..<rows { BitplanKernels.add(b, to: y + row * columns, count: columns) }
            }
        }
    }
}
