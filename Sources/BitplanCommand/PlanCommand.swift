import ArgumentParser
import BitplanEvaluators
import BitplanMeasurements
import BitplanModels
import BitplanPlanning
import BitplanReporting
import BitplanSensitivity
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract:
            "Solves for the best bits within budgets of bytes, seconds or joules, measured where a model is given."
    )

    @Argument(help: "Sensitivity table that a sweep wrote.") var sweep: String
    @OptionGroup var options: TargetOptions
    @Option(
        help:
            "Model directory: the plan is then improved in context and compared with uniform ones before it is written."
    )
    var model: String?
    @OptionGroup var weights: WeightsOption
    @OptionGroup var evaluator: EvaluatorArguments
    @OptionGroup var data: DataFiles
    @Option(help: "What KL is measured on (references, own); as the table says where not given.")
    var targets: KLTargets?
    @Option(help: "Most measurements in context.") var effort = 1000
    @OptionGroup var calibration: CalibrationOptions
    @OptionGroup var task: TaskArguments
    @OptionGroup var storage: StoreOptions
    @Option(
        help: ArgumentHelp(
            "Measure one part of several, such as 2/4, of what planning asks for next into --store, and write no plan: parts that go on from the merged stores come to what it asks for then.",
            valueName: "part/parts"))
    var shard: Shard?
    @Option(help: "Where the plan is written; only printed where not given.") var output: String?
    @Flag(help: "Only say how many measurements there are at most, and about what time and memory they take.")
    var dryRun = false
    @Flag(help: "Print JSON.") var json = false

    /// What a part of planning leaves.
    struct Part: Encodable {
        let shard: String
        let cells: Int
        let isComplete: Bool
        let store: String
    }

    func validate() throws {
        if shard != nil {
            guard storage.store != nil else {
                throw ValidationError("--shard needs --store: a file that this part alone writes")
            }
            guard model != nil || evaluator.evaluator != nil else {
                throw ValidationError("--shard needs --model or --evaluator: without, nothing is measured")
            }
            try refuse(["--output", "--dry-run"], "does not go with --shard: a part makes no plan")
        }
        guard evaluator.evaluator != nil else { return }
        guard model == nil else { throw ValidationError("expected one of --model and --evaluator") }
        try refuse(
            EvaluatorArguments.settledByEvaluator,
            "is settled by the evaluator: expected it in its own command")
    }

    func run() throws {
        try reporting {
            let file = URL(path: sweep)
            try checkOutputs(
                [output].compactMap { $0.map { URL(path: $0) } },
                inputs: ([sweep] + [model].compactMap { $0 } + data.data + calibration.calibration).map {
                    URL(path: $0)
                })
            let table = try readTable(file)
            let target = try options.target()
            if let options = evaluator.options {
                let store = try storage.open()
                let opened = try MeasuredEvaluator(options, unit: table.layout.unit, store: store)
                return try finish(
                    store, table,
                    plan: { try opened.plan(table, target: target, effort: effort) },
                    measure: { try opened.measure($0, ofPlanning: table, target: target, effort: effort) })
            }
            guard let model else {
                if let proxy = table.proxy {
                    throw FileError(
                        file,
                        "was not measured but estimated ('\(proxy.rawValue)'): give --model and --data, so that the plan is measured"
                    )
                }
                return try finish(
                    try naming(profile: options.profile, file) { try additivePlan(table, target: target) },
                    table)
            }
            let place = try weights.place(in: model)
            guard !data.data.isEmpty else { throw UsageError("--model needs --data to measure plans on") }
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let store = try storage.open()
                let measuring = MeasuringOptions(
                    fit: table.fit, task: task.options, unit: table.layout.unit, store: store)
                let source = data.source(targets ?? table.provenance.targets ?? .references)
                guard !dryRun else {
                    let estimate = try MeasuredModel<F>.estimate(
                        place, source: source, calibration: calibration.source(data.windows),
                        options: measuring, sweep: .init(candidates: table.candidates), sweeps: false,
                        effort: effort, limit: target.size)
                    return try printResult(estimate, asJSON: json, estimate.text(threads: task.threads))
                }
                let opened = try MeasuredModel<F>(
                    place, source: source, calibration: calibration.source(data.windows),
                    options: measuring, note: writeNote)
                try finish(
                    store, table,
                    plan: { try opened.plan(table, target: target, effort: effort) },
                    measure: { try opened.measure($0, ofPlanning: table, target: target, effort: effort) })
            }
            try run(try Families.family(of: place))
        }
    }

    /// Makes the plan, or measures a part of what it needs, and says what was made.
    private func finish(
        _ store: MeasurementStore?, _ table: SensitivityTable, plan: () throws -> PlanningResult,
        measure: (Shard) throws -> PlanningPart
    ) throws {
        let file = URL(path: sweep)
        guard let shard, let store else {
            let result = try naming(profile: options.profile, file, plan)
            ProgressLine("plan").tell(store)
            return try finish(result.record, table)
        }
        let part = try naming(profile: options.profile, file) { try measure(shard) }
        ProgressLine("plan").tell(store)
        let rest = part.isComplete ? "all that the plan needs is there" : "other parts are to be merged"
        try printResult(
            Part(
                shard: shard.description, cells: part.cells, isComplete: part.isComplete,
                store: store.file.path), asJSON: json,
            "part \(shard): \(grouped(part.cells)) measurements in \(store.file.path); \(rest)")
    }

    private func finish(_ plan: Plan, _ table: SensitivityTable) throws {
        if let output { try JSONFile.write(plan, to: URL(path: output)) }
        var bytes = plan.predicted.map { "\(grouped($0.bytes)) bytes" } ?? ""
        if let seconds = plan.predicted?.seconds { bytes += ", \(milliseconds(seconds)) ms" }
        if let joules = plan.predicted?.joules { bytes += ", \(fixed(1e3 * joules, 4)) mJ" }
        try printResult(
            plan, asJSON: json,
            "\(plan.origin?.description ?? "plan"): \(bytes)\n\n"
                + (try plan.bitsTable(of: table.layout).text)
                + "\n"
                + plan.judgement(metricName: table.metricName).map { $0 + "\n\n" }.joined()
                + (plan.measured == nil
                    ? ""
                    : plan.measuredTable(
                        metricName: table.metricName, fullPrecisionBytes: table.layout.fullPrecisionBytes
                    ).text))
    }
}
