import Foundation
import Models
import PlanFormat
import Reporting
import Sensitivity

/// Where `auto` leaves what it made.
public struct AutoOutput: Sendable {
    /// The stem of the files that are written.
    public let name: String
    /// Where reports go.
    public let reports: URL
    /// Where the plan goes.
    public let plans: URL
    /// The packed model directory.
    public let packed: URL

    /// Output under these directories; files are called `<name>.md`, `<name>.plan.json`...
    public init(name: String, reports: URL, plans: URL, packed: URL) {
        self.name = name
        self.reports = reports
        self.plans = plans
        self.packed = packed
    }
}

/// What `auto` has to tell while it works.
public enum AutoEvent: Sendable {
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
public func auto<Family: ModelFamily>(
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
    let chosen = result.plan
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

    try JSONFile.write(chosen, to: output.plans.appending(path: "\(output.name).plan.json"))
    try JSONFile.write(table, to: output.reports.appending(path: "\(output.name).sensitivity.json"))
    let report = try autoReport(
        name: output.name, table: table, result: result, target: target, rows: rows, isChecked: check != nil)
    try writeText(report, to: output.reports.appending(path: "\(output.name).md"))
    try writeText(
        timingsReport(name: output.name, rows: rows),
        to: output.reports.appending(path: "\(output.name).timings.md"))
    return rows
}

/// The report: comparison, plan, rounds, sensitivity. Nothing in it depends on the machine.
func autoReport(
    name: String, table: SensitivityTable, result: PlanningResult, target: PlanTarget,
    rows: [(name: String, evaluation: Evaluation)], isChecked: Bool
) throws -> String {
    let plan = result.plan
    let full = table.layout.fullPrecisionBytes
    var text = "# \(name)\n\nTarget: \(target.description(for: table.layout)). "
    text += "Planned on \(table.provenance.sentences) sentences; "
    text +=
        isChecked
        ? "the first table is measured on \(rows[0].evaluation.sentences) others.\n\n"
        : "the first table is measured on the same, for no others were given.\n\n"
    text += comparisonTable(
        rows.map { row in
            ComparisonRow(
                name: row.name, bytes: row.evaluation.bytes, klNats: row.evaluation.kl,
                metrics: row.evaluation.metrics.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        }, fullPrecisionBytes: full)
    text +=
        "\nMetric: `\(rows[0].evaluation.signature)`.\n\n## Plan\n\n" + (try plan.bitsTable(of: table.layout))
    text += "\n## Plans measured on the planning data\n\n"
    if table.fit == .calibrated, table.provenance.calibrationSHA256 == nil {
        text += "Codes are calibrated on these sentences too, which flatters all plans alike.\n\n"
    }
    text += plan.measuredTable(metricName: table.metricName, fullPrecisionBytes: full)
    text += "\n## Planning in context\n\n\(result.measurements) measurements. "
    text +=
        "Each round solves the cells measured around the best plan so far, exactly, and measures the answer.\n\n"
    var rounds = MarkdownTable([
        "round", "sublayers moved", "KL predicted", "KL measured", "difference", "taken",
    ])
    for (index, round) in result.rounds.enumerated() {
        rounds.add([
            "\(index + 1)", "\(round.moves)", fixed(round.predictedKL, 4), fixed(round.measuredKL, 4),
            fixed(100 * (round.measuredKL / round.predictedKL - 1), 1) + "%", round.isAccepted ? "yes" : "no",
        ])
    }
    return text + rounds.text + "\n## Sensitivity\n\n" + table.markdown
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
