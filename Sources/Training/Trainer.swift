import BitplanKernels
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat
import Synchronization

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
    private let method: any TrainingMethod
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
        loss = TrainingLoss(
            teacher: full, labelShare: settings.labelShare,
            smoothing: settings.objective == .labels ? settings.recipe.labelSmoothing : nil)
        self.examples = examples.map(full.trainingExample)
        self.heldOut = heldOut
        self.settings = settings
        method = settings.method(Array(state.model.matrices.values))
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
        _ = try copy.heldOutLoss(copy.state.model)
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

    /// The parts that matrices have in the next step, by tensor.
    private var roles: [String: MatrixRole] {
        state.model.matrices.mapValues { method.role(of: $0, at: state.step) }
    }

    /// The parameters as codes; those of latent weights that the recipe has left in full precision so far are
    /// fitted.
    private func coded() throws -> TrainedModel {
        guard (1..<settings.steps).contains(state.step) else { return state.model }
        var model = state.model
        try model.follow(
            roles.mapValues { MatrixRole(following: $0.weights == .codes ? .nothing : .fitting) },
            threads: threads)
        return model
    }

    /// What held-out items lose under parameters that are codes.
    private func heldOutLoss(_ model: TrainedModel) throws -> LossMeasurement {
        LossMeasurement(try heldOut.losses(of: model.network(over: full, threads: threads)))
    }

    /// Measures held-out items, and keeps the parameters where they are the best so far by what is learned.
    @discardableResult
    package mutating func evaluate() throws -> LossMeasurement {
        let model = try coded()
        let measured = try heldOutLoss(model)
        let value = settings.learned(measured)
        guard value.isFinite else {
            throw TrainingError.notFinite("the held-out loss", step: state.step, settings.rates)
        }
        if state.best.map({ value < $0.loss }) ?? true {
            state.best = TrainingState.Best(
                loss: value, step: state.step, packed: try model.packed(), vectors: model.storedVectors)
        }
        return measured
    }

    /// One step.
    ///
    /// - Returns: the batch's mean loss before the step, in nats per prediction.
    /// - Throws: `TrainingError` where loss or gradients are not finite; the parameters are then as before.
    @discardableResult
    package mutating func step() throws -> Double {
        let (loss, gradients) = try gradients()
        try state.move(gradients, settings, roles, threads: threads)
        return loss
    }

    /// The mean loss of the next step's batch, in nats per prediction, and its gradients.
    ///
    /// - Throws: `TrainingError` where the loss is not finite.
    package mutating func gradients() throws -> (
        loss: Double, gradients: [TrainedModel.Parameter: [Float]]
    ) {
        let parts = BatchOrder(count: examples.count, seed: settings.seed)
            .batch(state.step, size: settings.batchSize)
            .sharded(settings.shards) { full.tokenCount(examples[$0]) }
        let labels = parts.map { $0.flatMap { full.targets(examples[$0]) } }
        let teacher = loss.smoothing == nil ? try targets.outputs(parts, threads: threads) : []
        let predictions = labels.reduce(0) { $0 + $1.count }
        let roles = roles
        var results = try partGradients(
            parts, labels, teacher, factor: 1 / Float(max(1, predictions)), roles)
        let nats = results.reduce(0) { $0 + $1.nats }
        guard nats.isFinite else {
            throw TrainingError.notFinite("the loss", step: state.step, settings.rates)
        }
        return (nats / Double(max(1, predictions)), try gradients(&results, roles))
    }

    /// What the forward and the backward of one part leave.
    private struct PartGradients: Sendable {
        let nats: Double
        let matrices: [String: StepGradients.Sums]
        let vectors: [String: [Float]]
    }

    /// The forward and the backward of each part. The network of the step, which takes as much memory as its
    /// gradients, ends with it.
    private func partGradients(
        _ parts: [[Int]], _ labels: [[Int?]], _ teacher: [Matrix], factor: Float,
        _ roles: [String: MatrixRole]
    ) throws -> [PartGradients] {
        let network = try state.model.network(
            over: full, roles, seed: settings.seed &+ UInt64(state.step), threads: threads)
        let scales = state.model.rowScales(roles)
        let vectors = Set(state.model.vectors.keys)
        return try concurrentMap(count: parts.count, threads: threads) {
            [loss, examples, settings] part in
            let items = parts[part].map { examples[$0] }
            let sink = StepGradients(scales: scales, weights: network.weights.matrices, vectors: vectors)
            var (nats, row) = (0.0, 0)
            for group in network.groups(items, ofTokens: settings.tokensAtOnce) {
                let tape = Tape(keepsOutputs: !scales.isEmpty)
                let after = network.state(group, observing: ForwardObserver(tape))
                let outputs = network.outputs(after, observing: ForwardObserver(tape))
                let rows = row..<row + outputs.rows
                let (more, gradient) = loss.backward(
                    network, outputs, teacher: teacher.isEmpty ? outputs : teacher[part].slice(rows: rows),
                    labels: Array(labels[part][rows]), factor: factor, keepsOutputs: !scales.isEmpty, sink)
                network.backward(group, after, outputs: gradient, tape, sink)
                (nats, row) = (nats + more, rows.upperBound)
            }
            return PartGradients(nats: nats, matrices: sink.matrices, vectors: sink.vectors)
        }
    }

    /// The gradients of all parameters, parts added in order; leaves no parts.
    private func gradients(
        _ parts: inout [PartGradients], _ roles: [String: MatrixRole]
    ) throws -> [TrainedModel.Parameter: [Float]] {
        let model = state.model
        let tensors = model.codes.keys.sorted()
        let ofVectors = parts.map(\.vectors)
        // Each sum has one owner, and so is added to in place.
        let lists = Mutex(tensors.map { tensor in parts.compactMap { $0.matrices[tensor] } })
        parts = []
        let byTensor = try concurrentMap(count: tensors.count, threads: threads) {
            index -> [TrainedModel.Parameter: [Float]] in
            let tensor = tensors[index]
            var own = lists.withLock { lists -> [StepGradients.Sums] in
                defer { lists[index] = [] }
                return lists[index]
            }
            var sums = own.isEmpty ? nil : own.removeFirst()
            for more in own { sums?.add(more) }
            guard let sums, let role = roles[tensor] else { return [:] }
            return model.gradients(sums, of: tensor, role)
        }
        var gradients: [TrainedModel.Parameter: [Float]] = [:]
        for part in byTensor { gradients.merge(part) { first, _ in first } }
        for name in model.vectors.keys {
            var sum: [Float]?
            for part in ofVectors {
                guard let more = part[name] else { continue }
                sum = sum.map { zip($0, more).map { $0 + $1 } } ?? more
            }
            gradients[.vector(name)] = sum
        }
        return gradients
    }
}

extension Network {
    /// Items in runs of at most so many tokens, or of one item; all together where nil, and where texts are
    /// told apart from the others of their part.
    fileprivate func groups(_ items: [Example], ofTokens limit: Int?) -> [[Example]] {
        guard let limit, hasHead else { return [items] }
        var groups: [[Example]] = []
        var tokens = limit
        for item in items {
            let count = tokenCount(item)
            tokens += count
            if tokens > limit {
                groups.append([])
                tokens = count
            }
            groups[groups.count - 1].append(item)
        }
        return groups
    }
}

extension TrainedModel {
    /// The matrices that need no gradient of weights, and their scales.
    fileprivate func rowScales(_ roles: [String: MatrixRole]) -> [String: RowScales] {
        var scales: [String: RowScales] = [:]
        for (tensor, codes) in codes where roles[tensor]?.learnsWeights != true {
            scales[tensor] = codes.rowScales
        }
        return scales
    }

    /// The gradients of a matrix's parameters, given its sums.
    fileprivate func gradients(
        _ sums: StepGradients.Sums, of tensor: String, _ role: MatrixRole
    ) -> [Parameter: [Float]] {
        guard let codes = codes[tensor] else { return [:] }
        switch sums {
        case .scales(let rows, let columns):
            return codes.rowScales.map { [.numbers(tensor): $0.gradient(rows: rows, columns: columns)] }
                ?? [:]
        case .whole(var gradient):
            var gradients: [Parameter: [Float]] = [:]
            guard role.learnsWeights, let latent = latents[tensor] else {
                if role.learnsNumbers { gradients[.numbers(tensor)] = codes.numbersGradient(gradient) }
                return gradients
            }
            if role.learnsNumbers {
                gradients[.numbers(tensor)] = codes.numbersGradient(gradient, latent: latent)
            }
            if role.weights == .codes { codes.passThrough(&gradient, latent: latent) }
            if role.pull > 0 {
                // d mean((|w| - 1)^2) = 2 (|w| - 1) sign(w) / n = 2 (w - sign(w)) / n
                let factor = 2 * role.pull / Float(max(1, latent.storage.count))
                for (index, weight) in latent.storage.enumerated() where weight != 0 {
                    gradient.storage[index] += factor * (weight - (weight > 0 ? 1 : -1))
                }
            }
            gradients[.weights(tensor)] = gradient.storage
            return gradients
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
