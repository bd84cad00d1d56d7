import Foundation
import Metrics
import PlanFormat
import Reporting
import Sensitivity

extension PlanningResult {
    /// The plan with the rounds that led to it: what is written.
    public var record: Plan {
        var plan = plan
        plan.rounds = rounds.map {
            Plan.Round(
                moves: $0.moves, predictedKL: $0.predictedKL, measuredKL: $0.measuredKL,
                isAccepted: $0.isAccepted)
        }
        return plan
    }
}

extension Workbench {
    /// The uniform plans and presets that are larger than a budget, measured on the planning data: what the reader of a frontier compares with.
    func measureOverBudget(candidates: [Scheme], budgetBytes: Int) throws -> [Plan.MeasuredPlan] {
        let layout = model.layout
        var plans = candidates.map { scheme in
            (name: "uniform \(scheme)", assignment: layout.sublayers.map { _ in scheme })
        }
        if let chung = layout.chung() { plans.append(("preset chung", chung)) }
        return try plans.filter { layout.sizeInBytes($0.assignment) > budgetBytes }.map { plan in
            let measured = try measurePacked(plan.assignment)
            return Plan.MeasuredPlan(
                name: plan.name, bytes: layout.sizeInBytes(plan.assignment), klNats: measured.klNats,
                metric: measured.metric)
        }
    }
}

extension Workbench {
    /// What one step up and one step down of every sublayer change, measured around a plan: why it has the bits that it has.
    ///
    /// Errors are those of paired differences: every step is measured on the plan's own sentences.
    /// - Complexity: a measurement for every step, and one for the plan.
    func measureSteps(_ plan: Plan, candidates: [Scheme]) throws -> [SublayerStep] {
        let layout = model.layout
        let assignment = try plan.schemes(of: layout)
        var steps: [(index: Int, scheme: Scheme, bytesChange: Int)] = []
        for (index, sublayer) in layout.sublayers.enumerated() {
            let bytes = sublayer.sizeInBytes(assignment[index])
            let changes = candidates.map { (index, $0, sublayer.sizeInBytes($0) - bytes) }
                .sorted { ($0.2, $0.1.description) < ($1.2, $1.1.description) }
            steps += [changes.last { $0.2 < 0 }, changes.first { $0.2 > 0 }].compactMap { $0 }
        }
        let changed = steps.map { step in
            var other = assignment
            other[step.index] = step.scheme
            return other
        }
        let losses = try measurer.losses(of: [assignment] + changed, around: assignment)
        let base = losses[0].map(\.kl)
        return try zip(steps, losses.dropFirst()).map { step, losses in
            let difference = losses.map(\.kl).reduce(.zero, +).natsPerToken ?? 0
            let error =
                base.count > 1
                ? try Estimate.pairedDifference(baseline: base, candidate: losses.map(\.kl)) : nil
            return SublayerStep(
                sublayer: layout.sublayers[step.index].name, scheme: step.scheme,
                bytesChange: step.bytesChange,
                klChange: difference - (base.reduce(.zero, +).natsPerToken ?? 0),
                standardError: error?.standardError)
        }
    }
}

extension ComparisonTable {
    /// Evaluations beside each other, full precision first; what depends on the machine is left out.
    public init(
        _ rows: [(name: String, evaluation: Evaluation)], isHeldOut: Bool, budgetBytes: Int?
    ) {
        self.init(
            metric: rows.first?.evaluation.signature ?? "", sentences: rows.first?.evaluation.sentences ?? 0,
            isHeldOut: isHeldOut, budgetBytes: budgetBytes,
            rows: rows.map {
                Row(
                    name: $0.name, bytes: $0.evaluation.bytes, klNats: $0.evaluation.kl,
                    metrics: $0.evaluation.metrics)
            })
    }
}

extension ModelReport {
    /// The report of a table, and of a plan and evaluations where there are any.
    ///
    /// - Parameter sizes: where a plan of the frontier is wanted in any case.
    /// - Throws: `PlanError` where the plan is for another model, `AllocationError`.
    public init(
        name: String, _ table: SensitivityTable, plan: Plan? = nil, comparison: ComparisonTable? = nil,
        sizes: [SizeTarget] = []
    ) throws {
        self.init(
            name: name, sensitivity: table, frontier: try FrontierTable(table, sizes: sizes, plan: plan),
            plan: plan, comparison: comparison)
    }

    /// Writes the report and, beside it, its pictures.
    ///
    /// - Throws: `PlanError`, or `FileError` where a file cannot be written.
    public func write(to file: URL) throws {
        let directory = file.deletingLastPathComponent()
        for figure in try figures() { try writeText(figure.svg, to: directory.appending(path: figure.name)) }
        try writeText(try markdown(withFigures: true), to: file)
    }
}
