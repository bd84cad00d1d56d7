import BitplanModels
import BitplanReporting
import BitplanSensitivity
import Foundation
import PlanFormat

/// Where `auto` leaves what it made.
package struct AutoOutput: Sendable {
    /// The stem of the files that are written.
    package let name: String
    /// Where reports go.
    package let reports: URL
    /// Where the plan goes.
    package let plans: URL
    /// The packed model directory.
    package let packed: URL

    /// Output under these directories; files are called `<name>.md`, `<name>.plan.json`...
    package init(name: String, reports: URL, plans: URL, packed: URL) {
        self.name = name
        self.reports = reports
        self.plans = plans
        self.packed = packed
    }
}

/// What `auto` has to tell while it works.
package enum AutoEvent: Sendable {
    case cells(done: Int, total: Int)
    case sensitivity(SensitivityTable)
    case round(PlanningRound)
    case planned(PlanningResult)
    /// A model directory is about to be evaluated.
    case evaluating(String)
}

/// All stages with one call: sweep, plan, quantize, evaluate beside uniform plans, report.
///
/// - Parameters:
///   - source: data to plan on.
///   - check: other data that the final table is measured on; the planning data where nil, and the report says so.
///   - evaluate: evaluates a directory on the checking data; the command line does it in a process of its own, so that memory is true.
/// - Returns: the table's rows with their evaluations, full precision first.
package func auto<Family: ModelFamily>(
    _ family: Family.Type, model directory: URL, source: DataSource, check: DataSource?, target: PlanTarget,
    candidates: [Scheme], calibration: DataSource?, options: Workbench<Family>.Options, effort: Int,
    output: AutoOutput, evaluate: (URL) throws -> Evaluation, event: (AutoEvent) -> Void
) throws -> [(name: String, evaluation: Evaluation)] {
    // What can be wrong is found before the long work.
    try PackedModel<Family>.checkReplaceable(output.packed)
    let bench = try Workbench<Family>(directory, source: source, calibration: calibration, options: options)
    let layout = bench.model.layout
    _ = try check?.read(bench.model.family)
    try PlanSpace(
        target, layout: layout, modelType: Family.modelType, candidates: candidates,
        workload: bench.meanWorkload
    ).checkReachable()
    let table = try bench.sweep(candidates: candidates) { event(.cells(done: $0, total: $1)) }
    event(.sensitivity(table))
    let result = try bench.plan(table, target: target, effort: effort) { event(.round($0)) }
    event(.planned(result))

    // The plan, and the uniform plans that fit the same bytes.
    var chosen = result.record
    // Without a limit of bytes the plan's own are what others are compared with.
    let budget =
        target.size?.bytes(of: layout) ?? chosen.predicted?.bytes ?? layout.fullPrecisionBytes
    let others = try bench.measureOverBudget(candidates: candidates, budgetBytes: budget)
    chosen.overBudget = others.isEmpty ? nil : others
    var models = [(name: "full precision", directory: directory)]
    let comparisons = output.packed.deletingLastPathComponent().appending(
        path: "\(output.packed.lastPathComponent)-uniform")
    for scheme in candidates {
        let schemes = [Scheme](repeating: scheme, count: layout.sublayers.count)
        let isNamed = chosen.measured?.contains { $0.name == "uniform \(scheme)" } ?? false
        guard target.size.map({ layout.sizeInBytes(schemes) <= $0.bytes(of: layout) }) ?? isNamed else {
            continue
        }
        let uniform = Plan.naming(
            schemes, of: layout, model: bench.identity, name: "uniform \(scheme)", fit: options.fit)
        let packed = comparisons.appending(path: scheme.description.replacingOccurrences(of: ":", with: "-"))
        try bench.write(uniform, to: packed)
        models.append(("uniform \(scheme)", packed))
    }
    try bench.write(chosen, to: output.packed)
    models.append(("plan (\(chosen.name ?? "unnamed"))", output.packed))
    var rows: [(name: String, evaluation: Evaluation)] = []
    for model in models {
        event(.evaluating(model.name))
        rows.append((model.name, try evaluate(model.directory)))
    }

    let comparison = ComparisonTable(
        rows, isHeldOut: check != nil, budgetBytes: budget)
    try JSONFile.write(chosen, to: output.plans.appending(path: "\(output.name).plan.json"))
    try JSONFile.write(table, to: output.reports.appending(path: "\(output.name).sensitivity.json"))
    try JSONFile.write(comparison, to: output.reports.appending(path: "\(output.name).comparison.json"))
    try ModelReport(name: output.name, table, plan: chosen, comparison: comparison)
        .write(to: output.reports.appending(path: "\(output.name).md"))
    try writeText(
        timingsReport(name: output.name, rows: rows),
        to: output.reports.appending(path: "\(output.name).timings.md"))
    return rows
}

/// What depends on the machine, apart from the report.
func timingsReport(name: String, rows: [(name: String, evaluation: Evaluation)]) -> String {
    var table = MarkdownTable(["model", "tokens/s", "peak memory, MB"])
    for row in rows {
        table.add([
            row.name, fixed(row.evaluation.tokensPerSecond, 0),
            fixed(Double(row.evaluation.peakMemoryBytes) / 1e6, 1),
        ])
    }
    return
        "# \(name): time and memory\n\nMeasured when the report was made; another run gives other figures.\n\n"
        + table.text
}
