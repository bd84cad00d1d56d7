import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors

/// Gathers the gradients of one part of a batch: of each matrix no more than what its parameters need.
///
/// Where only scales of rows and columns are learned, sums of products of the forward and the backward
/// suffice, and no gradient of weights is computed.
final class StepGradients: GradientSink {
    /// The sums of a matrix.
    enum Sums: Sendable {
        /// The gradient of the weights.
        case whole(Matrix)
        /// `sum_t dY[t, r] Y[t, r]` by row and, where there are scales of columns, `sum_t dX[t, c] X[t, c]`.
        case scales(rows: [Float], columns: [Float])

        mutating func add(_ other: Sums) {
            switch (self, other) {
            case (.whole(var sum), .whole(let more)):
                self = .scales(rows: [], columns: [])
                sum.add(more)
                self = .whole(sum)
            case (.scales(var rows, var columns), .scales(let moreRows, let moreColumns)):
                rows.add(moreRows)
                columns.add(moreColumns)
                self = .scales(rows: rows, columns: columns)
            default: preconditionFailure("sums of two kinds")
            }
        }
    }

    /// By tensor.
    private(set) var matrices: [String: Sums] = [:]
    /// By name.
    private(set) var vectors: [String: [Float]] = [:]
    private let scales: [String: RowScales]
    private let weights: [String: any LinearOperator]
    private let wanted: Set<String>

    /// Sums for these vectors and for all matrices.
    ///
    /// - Parameters:
    ///   - scales: of the matrices that need no gradient of weights.
    ///   - weights: the network's matrices, by tensor.
    init(scales: [String: RowScales], weights: [String: any LinearOperator], vectors: Set<String>) {
        self.scales = scales
        self.weights = weights
        wanted = vectors
    }

    func product(_ tensor: String, _ product: ProductGradient) {
        guard let scale = scales[tensor], let output = product.output else {
            return addWhole(tensor, product.input.columns, product.outputGradient.columns) {
                addWeightGradient(product.outputGradient, product.input, to: &$0)
            }
        }
        addScales(tensor, scale) { rows, columns in
            rows.addColumnProducts(product.outputGradient, output)
            if !scale.columns.isEmpty {
                columns.addColumnProducts(
                    scale.turned(product.inputGradient), scale.turned(product.input))
            }
        }
    }

    func lookup(_ tensor: String, rows places: [Int], _ gradient: Matrix) {
        guard let matrix = weights[tensor] else { return }
        guard let scale = scales[tensor] else {
            return addWhole(tensor, matrix.columns, matrix.rows) { $0.add(gradient, toRows: places) }
        }
        var looked = Matrix(rows: places.count, columns: matrix.columns)
        looked.storage.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for (row, place) in places.enumerated() {
                matrix.copyRow(place, into: base + row * matrix.columns)
            }
        }
        addScales(tensor, scale) { rows, columns in
            for (row, place) in places.enumerated() {
                rows[place] += zip(gradient[row: row], looked[row: row]).reduce(Float(0)) { $0 + $1.0 * $1.1 }
            }
            if !scale.columns.isEmpty {
                columns.addColumnProducts(scale.turned(gradient), scale.turned(looked))
            }
        }
    }

    func vector(_ name: String, _ gradient: [Float]) {
        guard wanted.contains(name) else { return }
        vectors[name, default: [Float](repeating: 0, count: gradient.count)].add(gradient)
    }

    private func addWhole(_ tensor: String, _ columns: Int, _ rows: Int, _ body: (inout Matrix) -> Void) {
        guard
            case .whole(var sum) = matrices.removeValue(forKey: tensor)
                ?? .whole(Matrix(rows: rows, columns: columns))
        else { return }
        body(&sum)
        matrices[tensor] = .whole(sum)
    }

    private func addScales(
        _ tensor: String, _ scale: RowScales, _ body: (inout [Float], inout [Float]) -> Void
    ) {
        let zeros = Sums.scales(
            rows: [Float](repeating: 0, count: scale.rows.count),
            columns: [Float](repeating: 0, count: scale.columns.count))
        guard case .scales(var rows, var columns) = matrices.removeValue(forKey: tensor) ?? zeros
        else { return }
        body(&rows, &columns)
        matrices[tensor] = .scales(rows: rows, columns: columns)
    }
}

extension RowScales {
    /// Rows of activations in the basis of the codes.
    fileprivate func turned(_ x: Matrix) -> Matrix { rotation?.rotating(x) ?? x }

    /// The gradient of scales of rows, then columns, from their sums; 0 for a scale of 0.
    func gradient(rows sums: [Float], columns columnSums: [Float]) -> [Float] {
        zip(sums + columnSums, rows + columns).map { $1 == 0 ? 0 : $0 / $1 }
    }
}

extension [Float] {
    /// Adds numbers one by one.
    fileprivate mutating func add(_ other: [Float]) {
        precondition(count == other.count, "lengths differ")
        for index in indices { self[index] += other[index] }
    }

    /// Adds the sum over rows of `a[t, c] b[t, c]` to each number c.
    fileprivate mutating func addColumnProducts(_ a: Matrix, _ b: Matrix) {
        precondition(a.rows == b.rows && a.columns == b.columns && a.columns == count, "shapes differ")
        withUnsafeMutableBufferPointer { sums in
            a.storage.withUnsafeBufferPointer { a in
                b.storage.withUnsafeBufferPointer { b in
                    for start in stride(from: 0, to: a.count, by: Swift.max(1, sums.count)) {
                        for column in sums.indices { sums[column] += a[start + column] * b[start + column] }
                    }
                }
            }
        }
    }
}
