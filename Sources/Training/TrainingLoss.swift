import BitplanKernels
import BitplanModels
import BitplanTensors

/// What a student's outputs lose, and the gradient of its outputs: KL to the teacher, or cross-entropy to
/// labels, or a share of both.
package struct TrainingLoss<Net: Network>: Sendable {
    /// The network in full precision.
    private let teacher: Net
    /// nil for KL to the teacher; else cross-entropy to labels, of whose probability so much is spread evenly
    /// over all classes.
    ///
    /// - Source: Szegedy et al. 2016, label smoothing as PyTorch has it.
    let smoothing: Float?
    /// The share of cross-entropy to labels beside KL to the teacher, from 0 to 1.
    private let labelShare: Float

    /// A loss against a teacher, beside it against labels where they have a share, or where `smoothing` is
    /// given against labels alone.
    package init(teacher: Net, labelShare: Double = 0, smoothing: Float? = nil) {
        self.teacher = teacher
        self.labelShare = Float(labelShare)
        self.smoothing = smoothing
    }

    /// Rows of logits that are in memory at a time.
    private static var chunk: Int { 64 }

    /// The summed loss of the rows, in nats, and the gradient of `factor` times it.
    ///
    /// Logits are computed a chunk of rows at a time, the teacher's from its outputs. Of a network that ends
    /// with vectors of texts, the distributions are those of each text over the other texts of the part, as a
    /// search ranks them: softmax of cosines divided by their temperature.
    package func backward(
        _ student: Net, _ outputs: Matrix, teacher target: Matrix, labels: [Int?], factor: Float,
        keepsOutputs: Bool, _ sink: any GradientSink
    ) -> (nats: Double, gradient: Matrix) {
        guard student.hasHead else { return ranking(outputs, target, factor: factor) }
        var gradient: [Float] = []
        gradient.reserveCapacity(outputs.storage.count)
        var nats = 0.0
        for first in stride(from: 0, to: outputs.rows, by: Self.chunk) {
            let rows = first..<min(first + Self.chunk, outputs.rows)
            let tape = Tape(keepsOutputs: keepsOutputs)
            var q = student.logits(outputs.slice(rows: rows), observing: ForwardObserver(tape))
            if let smoothing {
                nats += Self.labelGradient(labels[rows], &q, smoothing: smoothing, factor: factor)
            } else {
                var p = teacher.logits(target.slice(rows: rows), observing: nil)
                nats += Self.klGradient(&p, &q, labels[rows], labelShare: labelShare, factor: factor)
            }
            gradient += student.backwardLogits(q, tape, sink).storage
        }
        return (nats, Matrix(rows: outputs.rows, columns: outputs.columns, storage: gradient))
    }

    /// Summed KL of rows of logits, and of those that have a label its share of their cross-entropy in KL's
    /// place; q becomes its gradient.
    private static func klGradient(
        _ p: inout Matrix, _ q: inout Matrix, _ labels: ArraySlice<Int?> = [], labelShare: Float = 0,
        factor: Float
    ) -> Double {
        let (rows, columns) = (q.rows, q.columns)
        let labels = labelShare > 0 ? Array(labels) : []
        return p.storage.withUnsafeMutableBufferPointer { p in
            q.storage.withUnsafeMutableBufferPointer { q in
                guard let p = p.baseAddress, let q = q.baseAddress else { return 0 }
                return (0..<rows).reduce(0.0) { sum, row in
                    let (p, q) = (p + row * columns, q + row * columns)
                    guard row < labels.count, let label = labels[row] else {
                        return sum + BitplanKernels.klGradient(p, q, count: columns, factor: factor)
                    }
                    let crossEntropy = Double(logSumExp(q, count: columns)) - Double(q[label])
                    let kl = BitplanKernels.klGradient(p, q, count: columns, factor: factor)
                    // The gradient is q - ((1 - share) p + share label); q - p stands there.
                    for index in 0..<columns { q[index] += factor * labelShare * p[index] }
                    q[label] -= factor * labelShare
                    return sum + Double(1 - labelShare) * kl + Double(labelShare) * crossEntropy
                }
            }
        }
    }

    /// Summed cross-entropy of rows of logits; q becomes its gradient, softmax(q) less the smoothed label, or
    /// 0 where there is none.
    private static func labelGradient(
        _ labels: ArraySlice<Int?>, _ q: inout Matrix, smoothing: Float, factor: Float
    ) -> Double {
        let columns = q.columns
        let even = smoothing / Float(columns)
        return q.storage.withUnsafeMutableBufferPointer { q in
            guard let base = q.baseAddress else { return 0 }
            return labels.enumerated().reduce(0.0) { sum, next in
                let line = base + next.offset * columns
                guard let label = next.element else {
                    line.update(repeating: 0, count: columns)
                    return sum
                }
                let top = Double(logSumExp(line, count: columns))
                var mean = 0.0
                for index in 0..<columns { mean += Double(line[index]) }
                let nats =
                    top - Double(1 - smoothing) * Double(line[label])
                    - Double(smoothing) * mean / Double(columns)
                softmax(line, count: columns)
                for index in 0..<columns { line[index] = factor * (line[index] - even) }
                line[label] -= factor * (1 - smoothing)
                return sum + nats
            }
        }
    }

    private func ranking(
        _ outputs: Matrix, _ target: Matrix, factor: Float
    ) -> (nats: Double, gradient: Matrix) {
        let student = outputs.normalizingRows()
        var p = Self.similarities(target.normalizingRows())
        var q = Self.similarities(student)
        let nats = Self.klGradient(&p, &q, factor: factor)
        // Both sides of a similarity are the student's: (G + G') X / temperature, and then the way back
        // through the division by the length.
        var both = q
        both.add(q.transposed())
        for index in both.storage.indices { both.storage[index] /= SentenceAnchors.temperature }
        var gradient = DenseMatrix(student.transposed())(both)
        for row in 0..<outputs.rows {
            let length = outputs[row: row].reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
            let along = zip(gradient[row: row], student[row: row]).reduce(Float(0)) { $0 + $1.0 * $1.1 }
            for column in 0..<outputs.columns {
                gradient[row, column] =
                    (gradient[row, column] - student[row, column] * along) / max(length, 1e-12)
            }
        }
        return (nats, gradient)
    }

    /// Cosines of all pairs divided by the temperature; a text is not its own neighbour.
    private static func similarities(_ vectors: Matrix) -> Matrix {
        var result = DenseMatrix(vectors)(vectors)
        for index in result.storage.indices { result.storage[index] /= SentenceAnchors.temperature }
        for row in 0..<result.rows { result[row, row] = -1e4 }
        return result
    }
}
