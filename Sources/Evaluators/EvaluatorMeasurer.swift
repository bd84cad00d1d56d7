import BitplanMeasurements
import BitplanMetrics
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat
import Synchronization

/// How an evaluator is run.
package struct EvaluatorOptions: Sendable {
    /// What the shell starts.
    package var command: String
    /// How many processes of it measure at once.
    package var workers: Int
    /// How often a request that failed is tried again.
    package var retries: Int
    /// Most seconds that an answer may take.
    package var timeout: Double

    /// One process, two retries, ten minutes an answer.
    package init(_ command: String, workers: Int = 1, retries: Int = 2, timeout: Double = 600) {
        self.command = command
        self.workers = workers
        self.retries = retries
        self.timeout = timeout
    }
}

/// Measures a model through a process of the user's: cells of a table and whole plans. What a store has is
/// not measured again, and what was measured before a failure is kept.
package final class EvaluatorMeasurer: CellMeasurer, Sendable {
    /// What the evaluator says of itself.
    package let description: EvaluatorDescription
    /// What assignments give schemes to.
    package let layout: ModelLayout
    private let command: String
    private let workers: [EvaluatorWorker]
    /// The items in an order that says nothing about them.
    private let order: [Int]
    /// What the store has, by how matrices are encoded.
    private let records: (alone: StoredExperiment, inOrder: StoredExperiment)?
    private let reference = Mutex<[ItemLoss]?>(nil)

    /// Starts the evaluator and asks what it is.
    ///
    /// - Throws: `EvaluatorError`; `FileError` of the store.
    package init(_ options: EvaluatorOptions, unit: PlanUnit, store: MeasurementStore?) throws {
        let first = EvaluatorWorker(options, number: 0)
        let description = try first.describe()
        command = options.command
        self.description = description
        layout = description.layout.divided(into: unit)
        workers =
            [first]
            + (1..<max(1, options.workers)).map {
                EvaluatorWorker(options, number: $0, description: description)
            }
        order = shuffled(Array(description.data.predictions.indices))
        let hash = ContentHash()
        hash.add("evaluator", Data("\(evaluatorProtocolVersion) \(description.configuration)".utf8))
        var experiment = Experiment(
            weights: description.model.sha256, configuration: hash.finish(), data: description.data.sha256,
            calibration: description.data.sha256, fit: description.codeFit)
        guard let store else {
            records = nil
            return
        }
        let alone = try StoredExperiment(experiment, in: store)
        experiment.encoding = .inOrder
        records = (
            alone, description.encodesInOrder == true ? try StoredExperiment(experiment, in: store) : alone
        )
    }

    /// Every item by itself: a measurement may end behind any.
    package var batchSizes: [Int] { [Int](repeating: 1, count: order.count) }

    /// The same for every assignment: an evaluator runs the whole model.
    package func work(of assignment: Assignment, around context: Assignment) -> Int { layout.parameterCount }

    /// What every item loses in full precision.
    ///
    /// - Throws: `EvaluatorError`, also where the evaluator says that full precision has KL to itself.
    package func referenceLosses() throws -> [ItemLoss] {
        if let known = reference.withLock({ $0 }) { return known }
        let losses = try losses(of: [fullPrecision], around: fullPrecision)[0]
        let kl = losses.map(\.kl).reduce(.zero, +).natsPerToken ?? 0
        guard kl < 1e-5 else {
            throw EvaluatorError(
                command, "says that full precision has a KL of \(kl) to itself, expected 0")
        }
        reference.withLock { $0 = losses }
        return losses
    }

    /// The scores of the items of some batches under each assignment, every matrix encoded alone.
    package func scores(
        of assignments: [Assignment], around context: Assignment, batches: Range<Int>,
        each: (Int, [ItemScore]) throws -> Void
    ) throws -> [[ItemScore]] {
        try scores(of: assignments, .alone, items: batches, each: each)
    }

    /// What every item loses under each assignment, every matrix encoded alone.
    package func losses(of assignments: [Assignment], around context: Assignment) throws -> [[ItemLoss]] {
        try scores(of: assignments, .alone, items: order.indices) { _, _ in }.map(\.losses)
    }

    private func scores(
        of assignments: [Assignment], _ encoding: EvaluatorRequest.Encoding, items: Range<Int>,
        each: (Int, [ItemScore]) throws -> Void
    ) throws -> [[ItemScore]] {
        let queue = CellQueue(
            assignments, items: items, records: encoding == .alone ? records?.alone : records?.inOrder)
        let numbers = Array(order[items])
        let threads = workers.prefix(assignments.count).map { worker in
            WorkerThread { [layout, batch = description.batch ?? 1] in
                while let group = queue.take(upTo: batch) {
                    queue.finish(
                        group,
                        Result {
                            try worker.losses(
                                of: group.map { layout.tensorSchemes(assignments[$0.index]) },
                                encoding: encoding, items: numbers)
                        })
                }
            }
        }
        defer { for thread in threads { thread.join() } }
        do {
            try queue.forEachFinished(each)
        } catch {
            queue.stop()
            throw error
        }
        return try queue.scores()
    }
}

/// Whole plans, as a planner asks for them.
extension EvaluatorMeasurer {
    /// Whether codes are fitted behind each other, so that a sublayer's loss depends on the whole plan.
    package var encodesInOrder: Bool { description.encodesInOrder ?? false }

    private var planEncoding: EvaluatorRequest.Encoding { encodesInOrder ? .inOrder : .alone }

    /// What every item loses under plans that are encoded as their packed models are.
    package func packedLosses(of plans: [Assignment]) throws -> [[ItemLoss]] {
        try scores(of: plans, planEncoding, items: order.indices) { _, _ in }.map(\.losses)
    }

    /// Those losses, with what the task's metric is made of where the evaluator measures one.
    package func packedMeasurements(of plans: [Assignment]) throws -> [PlanMeasurement] {
        try zip(plans, packedLosses(of: plans)).map {
            PlanMeasurement($1, metric: try metricItems(of: $0, planEncoding))
        }
    }

    /// Whether the store has all that measuring an assignment would find; false without a store.
    package func isKept(_ assignment: Assignment, _ kind: MeasurementKind) throws -> Bool {
        let records = kind == .alone ? records?.alone : records?.inOrder
        guard let cell = try records?.cell(assignment), cell.items.count >= order.count else { return false }
        guard kind == .packedWithMetric, let metric = description.data.metric else { return true }
        return cell.metrics[metric.rawValue] != nil
    }

    /// The task's metric of an assignment whose matrices are encoded alone; 0 where there is none.
    package func metric(of assignment: Assignment) throws -> Double {
        try metricItems(of: assignment, .alone)?.value ?? 0
    }

    private func metricItems(
        of assignment: Assignment, _ encoding: EvaluatorRequest.Encoding
    ) throws -> MetricItems? {
        guard let kind = description.data.metric else { return nil }
        let records = encoding == .alone ? records?.alone : records?.inOrder
        if let kept = try records?.cell(assignment).metrics[kind.rawValue] { return kept }
        let items = try workers[0].metric(of: layout.tensorSchemes(assignment), encoding: encoding)
        try records?.record(items, metric: kind.rawValue, of: assignment)
        return items
    }
}
