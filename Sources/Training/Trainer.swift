import BitplanKernels
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

/// Trains a quantized network to say what the full-precision network says.
///
/// Every step decodes the weights as they will be stored, runs a batch forward and back, and moves the
/// parameters by AdamW. A batch is computed in parts, whose gradients are added in order: the same steps give
/// the same bytes on any number of threads.
package struct Trainer<Net: Network> {
    private let full: Net
    private let loss: TrainingLoss<Net>
    private let examples: [Net.Example]
    private let heldOut: Evaluator<Net>
    /// How it is trained.
    package let settings: TrainingSettings
    private let threads: Int
    private var targets: TeacherOutputs<Net>
    /// The parameters, the optimizer's memory, and how far the run is.
    package private(set) var state: TrainingState

    /// A run that starts, or goes on, at `state`.
    ///
    /// - Parameters:
    ///   - full: the network in full precision.
    ///   - heldOut: measures held-out items, which are not among `examples`.
    package init(
        _ full: Net, examples: [Net.Example], heldOut: Evaluator<Net>, settings: TrainingSettings,
        state: TrainingState, threads: Int
    ) {
        self.full = full
        loss = TrainingLoss(teacher: full, smoothing: settings.recipe.labelSmoothing)
        self.examples = examples.map(full.trainingExample)
        self.heldOut = heldOut
        self.settings = settings
        self.state = state
        self.threads = threads
        targets = TeacherOutputs(full, self.examples)
    }

    /// The most steps that fit into so many seconds with their measurements, by the time of a few; at least
    /// 1. The run itself does not move.
    package func steps(fitting seconds: Double) throws -> Int {
        var copy = self
        try copy.step()
        var start = Date()
        _ = try copy.heldOutLoss()
        let measurement = -start.timeIntervalSinceNow
        start = Date()
        let tried = 8
        for _ in 0..<tried { try copy.step() }
        let perStep = -start.timeIntervalSinceNow / Double(tried)
        var (low, high) = (1, 1 << 30)
        while low < high {
            let middle = (low + high + 1) / 2
            let measurements = middle / TrainingSettings.evaluateEvery(middle) + 1
            let needed = Double(middle) * perStep + Double(measurements) * measurement
            if needed <= seconds { low = middle } else { high = middle - 1 }
        }
        return low
    }

    /// Whether all steps are done.
    package var isDone: Bool { state.step >= settings.steps }

    /// The held-out KL of the parameters as they are, in nats per prediction.
    package func heldOutLoss() throws -> Double {
        LossMeasurement(try heldOut.losses(of: state.model.network(over: full, threads: threads))).klNats
    }

    /// Measures held-out items, and keeps the parameters where they are the best so far.
    ///
    /// - Returns: the KL, in nats per prediction.
    @discardableResult
    package mutating func evaluate() throws -> Double {
        let kl = try heldOutLoss()
        guard kl.isFinite else {
            throw TrainingError.notFinite("the held-out loss", step: state.step, settings.rates)
        }
        if state.best.map({ kl < $0.kl }) ?? true {
            state.best = TrainingState.Best(
                kl: kl, step: state.step, packed: try state.model.packed(), vectors: state.model.storedVectors
            )
        }
        return kl
    }

    /// One step.
    ///
    /// - Returns: the batch's mean KL before the step, in nats per prediction.
    /// - Throws: `TrainingError` where loss or gradients are not finite; the parameters are then as before.
    @discardableResult
    package mutating func step() throws -> Double {
        let parts = BatchOrder(count: examples.count, seed: settings.seed)
            .batch(state.step, size: settings.batchSize)
            .sharded(settings.shards) { full.tokenCount(examples[$0]) }
        let labels = parts.map { $0.flatMap { full.targets(examples[$0]) } }
        let teacher = loss.smoothing == nil ? try targets.outputs(parts, threads: threads) : []
        let predictions = labels.reduce(0) { $0 + $1.count }
        let network = try state.network(over: full, settings, threads: threads)
        let scales = state.model.rowScales
        let vectors = Set(state.model.vectors.keys)
        let factor = 1 / Float(max(1, predictions))
        let results = try concurrentMap(count: parts.count, threads: threads) { [loss, examples] part in
            let items = parts[part].map { examples[$0] }
            let sink = StepGradients(scales: scales, weights: network.weights.matrices, vectors: vectors)
            let tape = Tape(keepsOutputs: !scales.isEmpty)
            let after = network.state(items, observing: ForwardObserver(tape))
            let outputs = network.outputs(after, observing: ForwardObserver(tape))
            let (nats, gradient) = loss.backward(
                network, outputs, teacher: teacher.isEmpty ? outputs : teacher[part], labels: labels[part],
                factor: factor, keepsOutputs: !scales.isEmpty, sink)
            network.backward(items, after, outputs: gradient, tape, sink)
            return (nats: nats, matrices: sink.matrices, vectors: sink.vectors)
        }
        let nats = results.reduce(0) { $0 + $1.nats }
        guard nats.isFinite else {
            throw TrainingError.notFinite("the loss", step: state.step, settings.rates)
        }
        let gradients = try gradients(results.map { ($0.matrices, $0.vectors) })
        try state.move(gradients, settings, threads: threads)
        return nats / Double(max(1, predictions))
    }

    /// The gradients of all parameters, parts added in order.
    private func gradients(
        _ parts: [(matrices: [String: StepGradients.Sums], vectors: [String: [Float]])]
    ) throws -> [TrainedModel.Parameter: [Float]] {
        let model = state.model
        let tensors = model.codes.keys.sorted()
        let byTensor = try concurrentMap(count: tensors.count, threads: threads) { index in
            let tensor = tensors[index]
            var sums: StepGradients.Sums?
            for part in parts {
                guard let more = part.matrices[tensor] else { continue }
                if sums == nil { sums = more } else { sums?.add(more) }
            }
            return sums.map { model.gradients($0, of: tensor) } ?? [:]
        }
        var gradients: [TrainedModel.Parameter: [Float]] = [:]
        for part in byTensor { gradients.merge(part) { first, _ in first } }
        for name in model.vectors.keys {
            var sum: [Float]?
            for part in parts {
                guard let more = part.vectors[name] else { continue }
                sum = sum.map { zip($0, more).map { $0 + $1 } } ?? more
            }
            gradients[.vector(name)] = sum
        }
        return gradients
    }
}

extension TrainedModel {
    /// The matrices that need no gradient of weights, and their scales.
    fileprivate var rowScales: [String: RowScales] {
        var scales: [String: RowScales] = [:]
        for (tensor, codes) in codes where latents[tensor] == nil { scales[tensor] = codes.rowScales }
        return scales
    }

    /// The gradients of a matrix's parameters, given its sums.
    fileprivate func gradients(_ sums: StepGradients.Sums, of tensor: String) -> [Parameter: [Float]] {
        guard let codes = codes[tensor] else { return [:] }
        switch sums {
        case .scales(let rows, let columns):
            return codes.rowScales.map { [.numbers(tensor): $0.gradient(rows: rows, columns: columns)] }
                ?? [:]
        case .whole(var gradient):
            guard let latent = latents[tensor] else {
                return [.numbers(tensor): codes.numbersGradient(gradient)]
            }
            let numbers = codes.numbersGradient(gradient, latent: latent)
            codes.passThrough(&gradient, latent: latent)
            return [.numbers(tensor): numbers, .weights(tensor): gradient.storage]
        }
    }
}

/// Why training ended before its steps were done.
package enum TrainingError: Error, CustomStringConvertible {
    /// Something became NaN or infinite.
    case notFinite(String, step: Int, TrainingSettings.Rates)
    /// No parameters were measured.
    case nothingMeasured

    /// One line.
    package var description: String {
        switch self {
        case .notFinite(let what, let step, let rates):
            "training: \(what) is not finite at step \(step), with rates \(rates.numbers) (scales), \(rates.weights) (weights), \(rates.vectors) (biases and norms): lower them"
        case .nothingMeasured: "training: no held-out items were measured"
        }
    }
}
