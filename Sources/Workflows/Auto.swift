import BitplanEncoding
import BitplanModels
import BitplanPlanning
import BitplanReporting
import BitplanSensitivity
import BitplanTensors
import BitplanTraining
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

    var plan: URL { plans.appending(path: "\(name).plan.json") }
    var table: URL { reports.appending(path: "\(name).sensitivity.json") }
    var comparison: URL { reports.appending(path: "\(name).comparison.json") }
    var report: URL { reports.appending(path: "\(name).md") }
    var page: URL { reports.appending(path: "\(name).html") }
    var timings: URL { reports.appending(path: "\(name).timings.md") }

    /// Where the packed plan goes once it is trained.
    package var tuned: URL {
        packed.deletingLastPathComponent().appending(path: "\(packed.lastPathComponent)-tuned")
    }

    /// Where a uniform model is packed that the plan is compared with.
    func uniform(_ scheme: Scheme) -> URL {
        packed.deletingLastPathComponent().appending(path: "\(packed.lastPathComponent)-uniform").appending(
            path: scheme.description.replacingOccurrences(of: ":", with: "-"))
    }
}

/// What `auto` is to do.
package struct AutoRequest: Sendable {
    /// The model directory.
    package var model: URL
    /// Data to plan on.
    package var source: DataSource
    /// Other data that the final table is measured on; the planning data where nil, and the report says so.
    package var check: DataSource?
    /// Text that codes are calibrated on; the planning data where nil.
    package var calibration: DataSource?
    /// What the plan is made for.
    package var target: PlanTarget
    /// What the sweep measures.
    package var sweep: SweepOptions
    /// How the model is measured.
    package var measuring: MeasuringOptions
    /// Most measurements in context.
    package var effort: Int
    /// Where the results go.
    package var output: AutoOutput
    /// Trains what the plan has quantized, for so long; nil for codes as they are fitted.
    package var tuning: TrainingLength?

    /// A request from its parts.
    package init(
        model: URL, source: DataSource, check: DataSource? = nil, calibration: DataSource? = nil,
        target: PlanTarget, sweep: SweepOptions, measuring: MeasuringOptions = MeasuringOptions(),
        effort: Int = 1000, output: AutoOutput, tuning: TrainingLength? = nil
    ) {
        self.model = model
        self.source = source
        self.check = check
        self.calibration = calibration
        self.target = target
        self.sweep = sweep
        self.measuring = measuring
        self.effort = effort
        self.output = output
        self.tuning = tuning
    }

    /// Training of the packed plan: on the text that codes are calibrated on, chosen by the planning data;
    /// where both are the same, on a part of them.
    fileprivate func tuneRequest(_ length: TrainingLength) -> TuneRequest {
        TuneRequest(
            model: model, start: .packed(output.packed), data: calibration ?? source,
            heldOut: calibration == nil ? nil : source, length: length, task: measuring.task,
            store: measuring.store, output: output.tuned)
    }

    /// Tries what can be wrong with the outputs before the long work.
    fileprivate func checkOutputs<Family: ModelFamily>(of family: Family.Type) throws {
        let packed =
            [output.packed] + (tuning == nil ? [] : [output.tuned])
            + sweep.possibleCandidates.map(output.uniform)
        for directory in packed { try PackedModel<Family>.checkReplaceable(directory) }
        let sources = [source, check, calibration].compactMap { $0?.files }.joined()
        try BitplanWorkflows.checkOutputs(
            [output.plan, output.table, output.comparison, output.report, output.page, output.timings]
                + packed.map { $0.appending(path: "config.json") },
            inputs: [model] + sources)
    }
}

/// What `auto` has to tell while it works.
package enum AutoEvent: Sendable {
    case cells(done: Int, total: Int)
    case sensitivity(SensitivityTable)
    case round(PlanningRound)
    case planned(PlanningResult)
    /// A line about what is made of data without references.
    case note(String)
    /// What training has to tell.
    case tuning(TuneEvent)
    /// A model directory is about to be evaluated.
    case evaluating(String)
}

/// All stages with one call: sweep, plan, quantize, evaluate beside uniform plans, report. Every stage's
/// files are written when it ends.
///
/// - Parameters:
///   - evaluate: evaluates a directory; in a process of its own, so that memory is true.
/// - Returns: the table's rows with their evaluations, full precision first.
package func auto<Family: ModelFamily>(
    _ family: Family.Type, _ request: AutoRequest, evaluate: (EvaluationRequest) throws -> Evaluation,
    event: (AutoEvent) -> Void
) throws -> [(name: String, evaluation: Evaluation)] {
    let (target, output) = (request.target, request.output)
    // What can be wrong is found before the long work.
    try request.checkOutputs(of: family)
    let opened = try MeasuredModel<Family>(
        request.model, source: request.source, calibration: request.calibration, options: request.measuring,
        note: { event(.note($0)) })
    let layout = opened.layout
    let sweep = try request.sweep.adapted(to: opened.measurer.model)
    let candidates = sweep.candidates
    _ = try request.check?.read(opened.measurer.model.family)
    try opened.space(target, candidates: candidates).checkReachable()
    let table = try opened.sweep(sweep, progress: { event(.cells(done: $0, total: $1)) })
    try JSONFile.write(table, to: output.table)
    event(.sensitivity(table))

    let result = try opened.plan(table, target: target, effort: request.effort) { event(.round($0)) }
    event(.planned(result))
    var plan = result.record
    // Without a limit of bytes the plan's own are what others are compared with.
    let budget = target.size?.bytes(of: layout) ?? plan.predicted?.bytes ?? layout.fullPrecisionBytes
    let others = try opened.measureOverBudget(candidates: candidates, budgetBytes: budget)
    plan.overBudget = others.isEmpty ? nil : others
    try JSONFile.write(plan, to: output.plan)

    // The plan, and the uniform plans that fit the same bytes.
    var models = [(name: "full precision", directory: request.model)]
    for scheme in layout.uniformCandidates(candidates) {
        let schemes = layout.uniform(scheme)
        let isNamed = plan.measured?.contains { $0.origin == .uniform(scheme) } ?? false
        guard target.size.map({ layout.sizeInBytes(schemes) <= $0.bytes(of: layout) }) ?? isNamed else {
            continue
        }
        let uniform = Plan.naming(
            schemes, of: layout, model: opened.identity, origin: .uniform(scheme),
            fit: request.measuring.fit)
        try opened.write(uniform, to: output.uniform(scheme))
        models.append(("uniform \(scheme)", output.uniform(scheme)))
    }
    try opened.write(plan, to: output.packed)
    models.append(("plan (\(plan.origin?.description ?? "unnamed"))", output.packed))
    if let length = request.tuning {
        let log = try tune(family, request.tuneRequest(length)) { event(.tuning($0)) }
        models.append(("plan, trained \(log.bestStep) steps", output.tuned))
    }

    var rows: [(name: String, evaluation: Evaluation)] = []
    for model in models {
        event(.evaluating(model.name))
        let evaluation = try evaluate(
            EvaluationRequest(
                model: model.directory, reference: request.model, source: request.check ?? request.source,
                options: request.measuring.task, store: request.measuring.store?.file))
        rows.append((model.name, evaluation))
    }
    let directoryBytes = try directorySizes(output.packed).values.reduce(0, +)
    let comparison = ComparisonTable(
        rows, isHeldOut: request.check != nil, budgetBytes: budget,
        besideBytes: directoryBytes - layout.sizeInBytes(try plan.schemes(of: layout)))
    try JSONFile.write(comparison, to: output.comparison)
    let report = try ModelReport(name: output.name, table, plan: plan, comparison: comparison)
    try report.write(to: output.report)
    try report.writePage(to: output.page)
    try AtomicWrite.file(timingsReport(name: output.name, rows: rows), to: output.timings)
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
