import BitplanModels
import BitplanPlanning
import BitplanReporting
import BitplanTensors
import Foundation
import PlanFormat

extension MeasuredModel {
    /// The uniform plans and presets that are larger than a budget, measured on the planning data: what the
    /// reader of a frontier compares with.
    func measureOverBudget(candidates: [Scheme], budgetBytes: Int) throws -> [Plan.MeasuredPlan] {
        var plans = layout.uniformCandidates(candidates).map { scheme in
            (origin: PlanOrigin.uniform(scheme), assignment: layout.uniform(scheme))
        }
        if let chung = layout.chung() { plans.append((.preset(.chung(ratio: 1)), chung)) }
        plans = plans.filter { layout.sizeInBytes($0.assignment) > budgetBytes }
        let measurements = try measurer.packedMeasurements(of: plans.map(\.assignment))
        return zip(plans, measurements).map {
            Plan.MeasuredPlan(origin: $0.origin, bytes: layout.sizeInBytes($0.assignment), $1)
        }
    }
}

extension ComparisonTable {
    /// Evaluations beside each other, full precision first; what depends on the machine is left out.
    package init(
        _ rows: [(name: String, evaluation: Evaluation)], isHeldOut: Bool, budgetBytes: Int?,
        besideBytes: Int? = nil
    ) {
        self.init(
            metric: rows.first?.evaluation.signature, sentences: rows.first?.evaluation.sentences ?? 0,
            isHeldOut: isHeldOut, budgetBytes: budgetBytes, besideBytes: besideBytes,
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
            name: name, sensitivity: table,
            frontier: try FrontierTable(
                table, sizes: sizes, plan: plan, listing: Self.pageListing(of: table.layout)),
            plan: plan, comparison: comparison)
    }

    /// Writes the report and, beside it, its pictures.
    ///
    /// - Parameter listsMatrices: as of `markdown`.
    /// - Throws: `PlanError`, or `FileError` where a file cannot be written.
    package func write(to file: URL, listsMatrices: Bool = false) throws {
        let directory = file.deletingLastPathComponent()
        for figure in try figures() {
            try AtomicWrite.file(figure.svg, to: directory.appending(path: figure.name))
        }
        try AtomicWrite.file(try markdown(withFigures: true, listsMatrices: listsMatrices), to: file)
    }

    /// Writes the report as one page of HTML, which needs nothing beside it.
    ///
    /// - Throws: `PlanError`, or `FileError` where the file cannot be written.
    package func writePage(to file: URL) throws { try AtomicWrite.file(try page(), to: file) }
}
