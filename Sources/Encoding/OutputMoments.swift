import BitplanKernels
import BitplanModels
import BitplanTensors
import PlanFormat

/// What the model's predictions make of errors in the outputs of its matrices: `G = sum_t g_t g_t'`, g_t the
/// gradient of `-log p(y_t)` by the outputs for position t, y drawn from the model's own predictions p. Its
/// expectation is the factor of outputs in a Kronecker approximation of KL's curvature.
///
/// - Source: Tseng et al. 2025 (YAQA); Martens and Grosse 2015 for drawn labels.
enum OutputMoments {
    /// By tensor, (rows, rows); of matrices inside the sublayers. Empty for networks that end with vectors of
    /// texts, which predict no classes.
    static func gathered<Net: Network>(
        _ network: Net, _ examples: [Net.Example], threads: Int, batchSize: Int
    ) throws -> [String: Matrix] {
        guard network.hasHead else { return [:] }
        let outputTensor = network.tokenEmbedding
        var matrices: [String: any LinearOperator] = [:]
        let shapes = network.layout.sublayers.flatMap(\.matrices)
        for shape in shapes {
            matrices[shape.tensor] = TrainingMatrix(try network.weights.matrix(shape.tensor).decoded())
        }
        let network = try network.replacing(matrices)
        let batches = stride(from: 0, to: examples.count, by: batchSize).map {
            Array(examples[$0..<min($0 + batchSize, examples.count)])
        }
        var total: [String: Matrix] = [:]
        // A round at a time, so that few sums are in memory; rounds of fixed size, so that the order of sums
        // is fixed.
        for first in stride(from: 0, to: batches.count, by: 4) {
            let round = first..<min(first + 4, batches.count)
            for sums in try concurrentMap(
                count: round.count, threads: threads,
                { moments(network, batches[first + $0], except: outputTensor, seed: UInt64(first + $0)) })
            {
                for (name, sum) in sums {
                    if total[name] == nil { total[name] = sum } else { total[name]?.add(sum) }
                }
            }
        }
        return total
    }

    /// Rows of logits that are in memory at a time.
    private static var chunk: Int { 64 }

    private static func moments<Net: Network>(
        _ network: Net, _ batch: [Net.Example], except tensor: String, seed: UInt64
    ) -> [String: Matrix] {
        let sink = MomentSink(except: tensor)
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
        return sink.moments
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

/// Adds up `dY' dY` of every product.
private final class MomentSink: GradientSink {
    private(set) var moments: [String: Matrix] = [:]
    private let except: String

    init(except: String) { self.except = except }

    func product(_ tensor: String, _ product: ProductGradient) {
        guard tensor != except else { return }
        let transposed = product.outputGradient.transposed()
        let sum = DenseMatrix(transposed)(transposed)
        if moments[tensor] == nil { moments[tensor] = sum } else { moments[tensor]?.add(sum) }
    }

    func lookup(_ tensor: String, rows: [Int], _ gradient: Matrix) {}
    func vector(_ name: String, _ gradient: [Float]) {}
}
