import BitplanKernels
import BitplanTensors

/// A linear layer: `y = x W^T + b`, or `x W^T` where the model has no bias there.
struct Linear: Sendable {
    let name: String
    let weight: any LinearOperator
    let bias: [Float]?

    /// Takes `<name>.weight` of (`rows`, `columns`) and, where there is one, `<name>.bias`.
    init(
        _ name: String, rows: Int, columns: Int, hasBias: Bool = true, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        self.name = name + ".weight"
        weight = try reader.matrix(self.name, rows: rows, columns: columns)
        bias = hasBias ? try reader.vector(name + ".bias", count: rows) : nil
    }

    /// A product with a matrix that another sublayer has read: an output projection that is tied to the
    /// embedding.
    init(tied name: String, _ weight: any LinearOperator, bias: [Float]?) {
        self.name = name
        self.weight = weight
        self.bias = bias
    }

    func callAsFunction(_ x: Matrix, observing: ProductObserver? = nil) -> Matrix {
        observing?(name, x)
        var y = weight(x)
        if let bias { y.add(bias) }
        return y
    }

    /// Several layers of one input, which is prepared once for those whose weights can share that.
    static func together(
        _ layers: [Linear], _ x: Matrix, observing: ProductObserver? = nil
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
