import BitplanEncoding
import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import PlanFormat

/// What the parts of measuring a model cost, timed on a few of its items: all that a sweep does is made of
/// them.
///
/// Times are CPU seconds of all threads, so that what else the machine does matters little; work that is
/// shared out takes that long divided by the threads.
package struct UnitCosts: Sendable {
    /// Items that were timed.
    package let items: Int
    /// All items.
    package let allItems: Int
    /// Each sublayer over all items.
    package let sublayers: [Double]
    /// Scoring what a probe predicts from, over all items.
    package let scoring: Double
    /// The reference over all items: its outputs, logits, and what probes are scored by.
    package let reference: Double
    /// What codes are calibrated on, over all the text.
    package let calibration: Double
    /// Encoding each matrix, by candidate and tensor.
    package let encoding: [Scheme: [String: Double]]
    /// Whether probes are scored by sketches of the predictions.
    package let isSketched: Bool
    /// Bytes that measuring needs at most, the program itself and the model included.
    package let peakMemoryBytes: Int
    /// Bytes of the calibration text's activations before a sublayer.
    package let textStateBytes: Int
    /// The network's sublayers over the calibration text.
    private let textRun: Double

    /// Predictions that are timed, about.
    static var predictions: Int { 400 }
    /// Rows of a matrix whose encoding is timed.
    static var rows: Int { 128 }

    /// Times `model` on the first of `examples`.
    ///
    /// - Parameters:
    ///   - text: what codes are calibrated on.
    ///   - residentBytes: what the program has resident, asked for after the model was run.
    package init<Family: ModelFamily>(
        _ model: Model<Family>, _ network: Family.Net, examples: [Family.Net.Example],
        text: [Family.Net.Example], candidates: [Scheme], fit: CodeFit, splitsWeights: Bool,
        residentBytes: () -> Int
    ) throws {
        func predictions(_ examples: [Family.Net.Example]) -> Int {
            examples.reduce(0) { $0 + network.targets($1).count }
        }
        var few: [Family.Net.Example] = []
        while few.count < examples.count, few.count < 2 || predictions(few) < Self.predictions {
            few.append(examples[few.count])
        }
        let all = predictions(examples)
        let scale = Double(all) / Double(max(1, predictions(few)))
        let positions = max(1, all)
        let classes = network.logits(network.outputs(network.state([few[0]])), observing: nil).columns
        let keepsLogits = positions * classes * 4 <= Evaluator<Family.Net>.logitsLimit
        func timed<Value>(_ body: () throws -> Value) rethrows -> (Value, Double) {
            let start = processSeconds()
            return (try body(), processSeconds() - start)
        }

        // The first run is slower than those after it, and is timed as what it is in a sweep: the
        // reference's.
        let (evaluator, reference) = try timed {
            try Evaluator(
                reference: network, examples: few, threads: 1, logitsLimit: keepsLogits ? nil : 0,
                splitsWeights: splitsWeights)
        }
        let whole = evaluator.reference
        var sublayers = [Double](repeating: 0, count: network.layout.sublayers.count)
        var states = try evaluator.states(of: whole, before: 1)
        (states, sublayers[0]) = try timed { try evaluator.states(of: whole, before: 1) }
        var last = states
        for index in sublayers.indices.dropFirst() {
            last = states
            (states, sublayers[index]) = try timed {
                try evaluator.advance(last, through: index, of: whole)
            }
        }
        // What is easily scored and what is not, in equal parts.
        let encodings = Encodings(model, fit: .greedy)
        var scoring = 0.0
        let end = network.layout.sublayers.count - 1
        for scheme in [candidates.first, candidates.last].compactMap({ $0 }) where end > 0 {
            let probe = try whole.replacing(
                try encodings.operators(of: [(network.layout.sublayers[end], scheme)], for: evaluator))
            let (_, seconds) = try timed {
                try evaluator.scores(
                    of: probe, from: end, states: last, batches: evaluator.batchSizes.indices)
            }
            scoring += max(0, seconds - sublayers[end]) / 2
        }
        let (calibration, gathering) = try timed {
            try Calibration(network, few, fit: fit, threads: 1)
        }
        let tokens = { (examples: [Family.Net.Example]) in
            max(1, examples.reduce(0) { $0 + network.tokenCount($1) })
        }
        let resident = residentBytes()

        items = few.count
        allItems = examples.count
        isSketched = !keepsLogits
        self.sublayers = sublayers.map { $0 * scale }
        self.scoring = scoring * scale
        self.reference = reference * scale
        self.calibration = gathering * Double(tokens(text)) / Double(tokens(few))
        encoding = try candidates.reduce(into: [:]) { all, scheme in
            let sublayers = model.layout.sublayers.filter { $0.options(candidates).contains(scheme) }
            all[scheme] = try Self.encodingSeconds(
                model, sublayers.flatMap(\.matrices), scheme, fit, calibration)
        }
        let width = evaluator.outputs.first?.columns ?? 0
        textStateBytes = 4 * width * tokens(text)
        textRun = sublayers.reduce(0, +) * Double(tokens(text)) / Double(tokens(few))
        let scored =
            keepsLogits
            ? 4 * positions * classes
            : positions * PredictionSketch.bytes(width: width) + 8 * classes * width
        let groups = network.layout.groups.map { group in
            group.members.reduce(0) { $0 + network.layout.sublayers[$1].count }
        }
        peakMemoryBytes =
            resident + scored + 4 * positions * width
            // States before and behind a sublayer, of both sides of a translation.
            + 2 * 4 * width * tokens(examples)
            // Every matrix under every candidate, and a decoded probe.
            + candidates.reduce(0) { sum, scheme in
                sum + network.layout.sublayers.reduce(0) { $0 + $1.sizeInBytes(scheme) }
            } + 8 * (groups.max() ?? 0)
    }

    /// Encoding matrices under a scheme: some rows of a matrix of each width are timed.
    private static func encodingSeconds<Family: ModelFamily>(
        _ model: Model<Family>, _ matrices: [MatrixShape], _ scheme: Scheme, _ fit: CodeFit,
        _ calibration: Calibration
    ) throws -> [String: Double] {
        var secondsPerRow: [Int: Double] = [:]
        var seconds: [String: Double] = [:]
        for shape in matrices {
            if secondsPerRow[shape.columns] == nil {
                let rows = try model.matrix(shape).slice(rows: 0..<min(rows, shape.rows))
                var context = calibration.context(shape)
                context.rowFrequencies = context.rowFrequencies.map { Array($0.prefix(rows.rows)) }
                let start = processSeconds()
                _ = try Quantizer.encode(rows, as: scheme, fit: fit, context: context)
                secondsPerRow[shape.columns] = (processSeconds() - start) / Double(rows.rows)
            }
            seconds[shape.tensor] = (secondsPerRow[shape.columns] ?? 0) * Double(shape.rows)
        }
        return seconds
    }

    /// One run of the model and the scoring of it: what everything else is a multiple of.
    package var evaluation: Double { sublayers.reduce(0, +) + scoring }

    /// A measurement of all items that starts at a sublayer.
    package func measuring(from first: Int) -> Double { sublayers[first...].reduce(0, +) + scoring }

    /// Encoding a plan of calibrated codes in order of execution: three runs over the text, moments that take
    /// as long as one, and every matrix.
    package var packing: Double {
        4 * textRun + encodingAll / Double(max(1, encoding.count))
    }

    /// Encoding every matrix under every candidate.
    package var encodingAll: Double { encoding.values.reduce(0) { $0 + $1.values.reduce(0, +) } }

    /// Measurements of assignments that differ from a context in these sublayers first.
    ///
    /// - Complexity: what lies before is run once for all of them.
    package func measuring(from firsts: [Int]) -> Double {
        firsts.reduce(firsts.isEmpty ? 0 : sublayers.reduce(0, +)) { $0 + measuring(from: $1) }
    }
}
