import BitplanMetrics
import BitplanReporting
import BitplanSensitivity
import Foundation
import PlanFormat

extension PlanningResult {
    /// The plan with the rounds that led to it: what is written.
    package var record: Plan {
        var plan = plan
        plan.rounds = rounds.map(\.record)
        return plan
    }
}

extension PlanningRound {
    /// The round as a plan records it.
    package var record: Plan.Round {
        Plan.Round(
            moves: moves, predictedKL: predictedKL, measuredKL: measuredKL, isAccepted: isAccepted)
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

extension ComparisonTable {
    /// Evaluations beside each other, full precision first; what depends on the machine is left out.
    package init(
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
    package init(
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
    package func write(to file: URL) throws {
        let directory = file.deletingLastPathComponent()
        for figure in try figures() { try writeText(figure.svg, to: directory.appending(path: figure.name)) }
        try writeText(try markdown(withFigures: true), to: file)
    }
}
