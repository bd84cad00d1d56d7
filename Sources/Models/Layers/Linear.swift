import BitplanKernels
import BitplanTensors

/// A linear layer: `y = x W^T + b`, or `x W^T` where the model has no bias there.
struct Linear: Sendable {
    let name: String
    let weight: any LinearOperator
    let bias: [Float]?
    private let biasName: String

    /// Takes `<name>.weight` of (`rows`, `columns`) and, where there is one, `<name>.bias`.
    init(
        _ name: String, rows: Int, columns: Int, hasBias: Bool = true, _ reader: inout ParameterReader
    ) throws(MissingWeight) {
        self.name = name + ".weight"
        weight = try reader.matrix(self.name, rows: rows, columns: columns)
        biasName = name + ".bias"
        bias = hasBias ? try reader.vector(biasName, count: rows) : nil
    }

    /// A product with a matrix that another sublayer has read: an output projection that is tied to the
    /// embedding.
    init(tied name: String, _ weight: any LinearOperator, bias: [Float]?, called biasName: String) {
        self.name = name
        self.weight = weight
        self.bias = bias
        self.biasName = biasName
    }

    func callAsFunction(_ x: Matrix, observing: ForwardObserver? = nil) -> Matrix {
        observing?.product(name, input: x)
        var y = weight(x)
        observing?.product(name, output: y)
        if let bias { y.add(bias) }
        return y
    }

    /// Several layers of one input, which is prepared once for those whose weights can share that.
    static func together(
        _ layers: [Linear], _ x: Matrix, observing: ForwardObserver? = nil
    ) -> [Matrix] {
        for layer in layers { observing?.product(layer.name, input: x) }
        var results = multiplyTogether(layers.map(\.weight), x)
        for (index, layer) in layers.enumerated() {
            observing?.product(layer.name, output: results[index])
            if let bias = layer.bias { results[index].add(bias) }
        }
        return results
    }

    /// The gradient of the input, given that of the output: `dx = dy W`. The weight's and the bias's go to
    /// `sink`.
    func backward(_ dy: Matrix, _ tape: Tape, _ sink: any GradientSink) -> Matrix {
        if bias != nil { sink.vector(biasName, dy.columnSums()) }
        let x = tape.input(name)
        let dx = weight.inputGradient(dy, input: x)
        sink.product(
            name,
            ProductGradient(
                input: weight.multiplied(x), output: tape.outputs[name], outputGradient: dy,
                inputGradient: dx))
        return dx
    }

    /// The gradient of an input that several layers share, given those of their outputs.
    static func together(
        _ layers: [Linear], _ gradients: [Matrix], _ tape: Tape, _ sink: any GradientSink
    ) -> Matrix {
        var sum: Matrix?
        for (layer, gradient) in zip(layers, gradients) {
            let dx = layer.backward(gradient, tape, sink)
            if sum == nil { sum = dx } else { sum?.add(dx) }
        }
        return sum ?? Matrix(rows: 0, columns: 0)
    }
}

extension Matrix {
    /// The sum of every column, in the order of the rows.
    func columnSums() -> [Float] {
        var sums = [Float](repeating: 0, count: columns)
        storage.withUnsafeBufferPointer { x in
            guard let x = x.baseAddress else { return }
            for row in 0..<rows { BitplanKernels.add(x + row * columns, to: &sums, count: columns) }
        }
        return sums
    }

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
