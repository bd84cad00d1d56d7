import BitplanKernels
import BitplanModels
import BitplanTensors
import PlanFormat

/// What the model's predictions make of errors in the outputs of its matrices, from gradients on calibration
/// text.
///
/// With g_t the gradient of `-log p(y_t)` by a matrix's outputs for token t, y drawn from the model's own
/// predictions p, KL's curvature by the weights is the mean of `g_t g_t' (x) x_t x_t'`, x_t being the inputs.
/// It is taken apart into a factor of outputs, `G = sum_t g_t g_t'`, and one of inputs, where a token counts
/// as its gradient is long: a token whose prediction is certain may be computed wrongly.
/// - Source: Tseng et al. 2025 (YAQA); Martens and Grosse 2015 for drawn labels. That tokens count by the
///   length of their gradients and not by its square measured better here, where labels are drawn once.
struct OutputCurvature: Sendable {
    /// G by tensor, (rows, rows), of matrices inside the sublayers.
    private(set) var moments: [String: Matrix] = [:]
    /// By tensor and batch: what every token counts, 1 on average over the batch.
    private(set) var weights: [String: [[Float]]] = [:]

    /// Items of a batch, as `PlanEncoder` has them.
    static var batchSize: Int { 32 }
    /// What every token counts at least.
    private static var leastWeight: Float { 0.1 }
    /// Rows of logits that are in memory at a time.
    private static var chunk: Int { 64 }

    /// None.
    init() {}

    /// Runs forward and back over the text. Empty for networks that end with vectors of texts, which predict
    /// no classes.
    ///
    /// - Complexity: about three forwards. Batches are summed in order, so the result does not depend on
    ///   `threads`.
    init<Net: Network>(_ network: Net, _ examples: [Net.Example], threads: Int) throws {
        guard network.hasHead else { return }
        var matrices: [String: any LinearOperator] = [:]
        for shape in network.layout.sublayers.flatMap(\.matrices) {
            matrices[shape.tensor] = TrainingMatrix(try network.weights.matrix(shape.tensor).decoded())
        }
        let network = try network.replacing(matrices)
        let batches = stride(from: 0, to: examples.count, by: Self.batchSize).map {
            Array(examples[$0..<min($0 + Self.batchSize, examples.count)])
        }
        // A round at a time, so that few sums are in memory; rounds of fixed size, so that the order of sums
        // is fixed.
        for first in stride(from: 0, to: batches.count, by: 4) {
            let round = first..<min(first + 4, batches.count)
            for sink in try concurrentMap(
                count: round.count, threads: threads,
                { Self.gradients(network, batches[first + $0], seed: UInt64(first + $0)) })
            {
                for (name, sum) in sink.moments {
                    if moments[name] == nil { moments[name] = sum } else { moments[name]?.add(sum) }
                }
                for (name, lengths) in sink.lengths {
                    let mean = lengths.reduce(0, +) / Float(max(1, lengths.count))
                    weights[name, default: []].append(
                        lengths.map {
                            mean > 0 ? Self.leastWeight + (1 - Self.leastWeight) * $0 / mean : 1
                        })
                }
            }
        }
    }

    private static func gradients<Net: Network>(
        _ network: Net, _ batch: [Net.Example], seed: UInt64
    ) -> CurvatureSink {
        let sink = CurvatureSink(except: Set(network.tokenMatrices))
        let tape = Tape()
        let state = network.state(batch, observing: ForwardObserver(tape))
        let outputs = network.outputs(state, observing: ForwardObserver(tape))
        var generator = SeededGenerator(seed: seed)
        var gradient: [Float] = []
        for first in stride(from: 0, to: outputs.rows, by: chunk) {
            let tape = Tape()
            var logits = network.logits(
                outputs.slice(rows: first..<min(first + chunk, outputs.rows)),
                observing: ForwardObserver(tape))
            let classes = logits.columns
            logits.storage.withUnsafeMutableBufferPointer { rows in
                guard let base = rows.baseAddress else { return }
                for start in stride(from: 0, to: rows.count, by: max(1, classes)) {
                    drawLabel(base + start, count: classes, &generator)
                }
            }
            gradient += network.backwardLogits(logits, tape, sink).storage
        }
        network.backward(
            batch, state,
            outputs: Matrix(rows: outputs.rows, columns: outputs.columns, storage: gradient), tape, sink)
        return sink
    }

    /// Replaces a row of logits by softmax less a label that is drawn from it.
    private static func drawLabel(
        _ row: UnsafeMutablePointer<Float>, count: Int, _ generator: inout SeededGenerator
    ) {
        softmax(row, count: count)
        var left = Float(generator.next() >> 40) * 0x1p-24
        var label = 0
        while label + 1 < count, left >= row[label] {
            left -= row[label]
            label += 1
        }
        row[label] -= 1
    }
}

/// Takes G and the lengths of gradients from a backward; of the output projection, whose rows are too many,
/// nothing.
private final class CurvatureSink: GradientSink, @unchecked Sendable {
    private(set) var moments: [String: Matrix] = [:]
    private(set) var lengths: [String: [Float]] = [:]
    private let except: Set<String>
    /// An output projection of its own has as many as there are tokens.
    private static let mostRows = 16384

    init(except: Set<String>) { self.except = except }

    func product(_ tensor: String, _ product: ProductGradient) {
        let gradient = product.outputGradient
        guard !except.contains(tensor), gradient.columns <= Self.mostRows else { return }
        let transposed = gradient.transposed()
        let sum = DenseMatrix(transposed)(transposed)
        if moments[tensor] == nil { moments[tensor] = sum } else { moments[tensor]?.add(sum) }
        lengths[tensor, default: []] += (0..<gradient.rows).map {
            gradient[row: $0].reduce(0) { $0 + $1 * $1 }.squareRoot()
        }
    }

    func lookup(_ tensor: String, rows: [Int], _ gradient: Matrix) {}
    func vector(_ name: String, _ gradient: [Float]) {}
}
