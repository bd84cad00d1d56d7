import ArgumentParser
import BitplanEvaluators
import BitplanMeasurements
import BitplanModels
import BitplanReporting
import BitplanSensitivity
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

struct Sweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures every sublayer, alone and by type, under every candidate scheme.")

    @Argument(help: "Model directory.") var model: String?
    @OptionGroup var weights: WeightsOption
    @OptionGroup var evaluator: EvaluatorArguments
    @OptionGroup var data: DataFiles
    @OptionGroup var targets: KLTargetOptions
    @OptionGroup var sweep: SweepOptions
    @OptionGroup var calibration: CalibrationOptions
    @OptionGroup var task: TaskArguments
    @OptionGroup var storage: StoreOptions
    @Option(
        help: ArgumentHelp(
            "Measure one part of several, such as 2/4, into --store, and write no table: a sweep with the parts' stores merged finds all.",
            valueName: "part/parts"))
    var shard: Shard?
    @Option(help: "Where the table is written; only printed where not given.") var output: String?
    @Flag(help: "Only say how many cells there are, and about what time and memory they take.")
    var dryRun = false
    @Flag(help: "Print JSON.") var json = false

    /// What a part of a sweep leaves.
    struct Part: Encodable {
        let shard: String
        let cells: Int
        let store: String
    }

    func validate() throws {
        guard (model == nil) != (evaluator.evaluator == nil) else {
            throw ValidationError("expected a model directory or --evaluator")
        }
        if evaluator.evaluator != nil {
            try refuse(
                EvaluatorArguments.settledByEvaluator + ["--fit", "--signal", "--naive"],
                "is settled by the evaluator: expected it in its own command")
        } else {
            try data.validateGiven()
        }
        guard shard != nil else { return }
        guard storage.store != nil else {
            throw ValidationError("--shard needs --store: a file that this part alone writes")
        }
        try refuse(["--output", "--dry-run"], "does not go with --shard: a part of a sweep makes no table")
        try refuse(
            ["--precision", "--metric-top"],
            "does not go with --shard: it is decided over all cells, by the sweep that finds the merged parts"
        )
        try refuse(["--signal", "--naive"], "does not go with --shard: its cells are not kept in a store")
    }

    func run() throws {
        try reporting {
            try checkOutputs(
                [output].compactMap { $0.map { URL(path: $0) } },
                inputs: ([model].compactMap { $0 } + data.data + calibration.calibration).map {
                    URL(path: $0)
                })
            guard let model else { return try runEvaluator() }
            let place = try weights.place(in: model)
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let store = try storage.open()
                let options = sweep.measuring(task.options, store)
                guard !dryRun else {
                    let estimate = try MeasuredModel<F>.estimate(
                        place, source: data.source(targets.targets),
                        calibration: calibration.source(data.windows),
                        options: options, sweep: sweep.cells)
                    return try printResult(estimate, asJSON: json, estimate.text(threads: task.threads))
                }
                let opened = try MeasuredModel<F>(
                    place, source: data.source(targets.targets),
                    calibration: calibration.source(data.windows),
                    options: options, note: writeNote)
                try finish(store) { progress in
                    try opened.sweep(
                        sweep.cells, progress: { progress.show($0, of: $1) }, cost: { progress.tell($0) })
                } part: { shard, progress in
                    try opened.measure(shard, of: sweep.cells) { progress.show($0, of: $1) }
                }
            }
            try run(try Families.family(of: place))
        }
    }

    private func runEvaluator() throws {
        guard let options = evaluator.options else { return }
        let store = try storage.open()
        let opened = try MeasuredEvaluator(options, unit: sweep.unit, store: store)
        var cells = sweep.cells
        if !isGiven("--schemes") {
            cells.candidates = opened.candidates
            if sweep.groups { cells.groupCandidates = opened.candidates }
        }
        try finish(store) { progress in
            try opened.sweep(cells) { progress.show($0, of: $1) }
        } part: { shard, progress in
            try opened.measure(shard, of: cells) { progress.show($0, of: $1) }
        }
    }

    /// Measures the table, or a part of it, and says what was made.
    private func finish(
        _ store: MeasurementStore?, table: (ProgressLine) throws -> SensitivityTable,
        part: (Shard, ProgressLine) throws -> Int
    ) throws {
        let progress = ProgressLine("sweep")
        if let shard, let store {
            let count = try part(shard, progress)
            progress.tell(store)
            return try printResult(
                Part(shard: shard.description, cells: count, store: store.file.path), asJSON: json,
                "part \(shard): \(grouped(count)) cells in \(store.file.path)")
        }
        let table = try table(progress)
        progress.tell(store)
        if let output { try JSONFile.write(table, to: URL(path: output)) }
        try printResult(table, asJSON: json, table.markdown)
    }
}
