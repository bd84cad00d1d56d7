import ArgumentParser
import BitplanMeasurements
import BitplanModels
import BitplanReporting
import BitplanWorkflows
import Foundation
import PlanFormat

struct Auto: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "All of it: sweep, plan, quantize, evaluate beside uniform plans, report.")

    @OptionGroup var model: ModelArguments
    @OptionGroup var data: DataOptions
    @OptionGroup var targets: KLTargetOptions
    @Option(parsing: .upToNextOption, help: "Other data that the final table is measured on.") var check:
        [String] = []
    @Option(help: "Use only the first items of the checking data.") var checkLimit: Int?
    @OptionGroup var target: TargetOptions
    @OptionGroup var sweep: SweepOptions
    @OptionGroup var calibration: CalibrationOptions
    @OptionGroup var task: TaskArguments
    @OptionGroup var storage: StoreOptions
    @Option(help: "Most measurements in context.") var effort = 1000
    @Option(help: "Minutes for which the packed plan is trained, on the calibration text where one is given.")
    var tune: Double?
    @Option(help: "The same in steps: the same bytes again.") var tuneSteps: Int?
    @Option(help: "Name of the files that are written.") var name = "auto"
    @Option(help: "Directory of the reports.") var reports = "Reports"
    @Option(help: "Directory of the plan.") var plans = "Plans"
    @Option(help: "Packed directory to write.") var output = "packed"
    @Flag(help: "Only say how many measurements there are at most, and about what time and memory they take.")
    var dryRun = false
    @Flag(help: "Print JSON.") var json = false

    struct Row: Encodable {
        let name: String
        let evaluation: Evaluation
    }

    func validate() throws {
        guard tune == nil || tuneSteps == nil else {
            throw ValidationError("expected one of --tune and --tune-steps")
        }
        if let tune, !(tune > 0 && tune.isFinite) {
            throw ValidationError("--tune: expected more than 0 minutes, got \(tune)")
        }
        if let tuneSteps, tuneSteps < 1 {
            throw ValidationError("--tune-steps: expected at least 1, got \(tuneSteps)")
        }
    }

    func run() throws {
        try reporting {
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let progress = ProgressLine("sweep")
                let store = try storage.open()
                let request = try request(store)
                guard !dryRun else {
                    let estimate = try MeasuredModel<F>.estimate(
                        request.model, source: request.source, calibration: request.calibration,
                        options: request.measuring, sweep: request.sweep, effort: effort)
                    return try printResult(estimate, asJSON: json, estimate.text(threads: task.threads))
                }
                let rows = try auto(
                    family, request, evaluate: { try ChildProcess.evaluate($0) },
                    event: { show($0, progress) })
                progress.tell(store)
                try printResult(
                    rows.map { Row(name: $0.name, evaluation: $0.evaluation) }, asJSON: json,
                    finalTable(
                        rows, shipped: try Model<F>(directory: request.model).checkpoint.integerFileBytes))
            }
            try run(try Families.family(of: model.place))
        }
    }

    private func request(_ store: MeasurementStore?) throws -> AutoRequest {
        AutoRequest(
            model: try model.place, source: data.source(targets.targets),
            check: check.isEmpty
                ? nil
                : DataSource(
                    files: check.map { URL(path: $0) }, limit: checkLimit, windows: data.windows.windows,
                    targets: targets.targets),
            calibration: calibration.source(data.windows), target: try target.target(),
            sweep: sweep.cells, measuring: sweep.measuring(task.options, store), effort: effort,
            output: AutoOutput(
                name: name, reports: URL(path: reports), plans: URL(path: plans), packed: URL(path: output)),
            tuning: tuneSteps.map { .steps($0) } ?? tune.map { .minutes($0) })
    }

    private func show(_ event: AutoEvent, _ progress: ProgressLine) {
        if case .note(let line) = event { return writeNote(line) }
        if case .tuning(let event) = event { return writeNote(event) }
        guard !json else { return }
        switch event {
        case .cells(let done, let total): progress.show(done, of: total)
        case .sensitivity(let table): tell(table.markdown)
        case .round(let round):
            tell(
                "in context: \(round.moves) sublayers moved, KL predicted \(klText(round.predictedKL)), "
                    + "measured \(klText(round.measuredKL))\(round.isAccepted ? "" : ", not taken")")
        case .planned(let result):
            tell(
                "plan: \(result.plan.origin?.description ?? "unnamed"), \(grouped(result.plan.predicted?.bytes ?? 0)) bytes\n"
            )
            let metric = metricName(result.plan.provenance?.metric)
            for line in result.plan.judgement(metricName: metric) { tell(line + "\n") }
        case .evaluating, .note, .tuning: break
        }
    }

    /// Writes at once, so that what is told comes before the final table; an output that is full is that
    /// one's error.
    private func tell(_ text: String) { try? writeOutput(text + "\n") }

    /// - Parameter shipped: bytes of the model's own file, where it has integers already.
    private func finalTable(_ rows: [(name: String, evaluation: Evaluation)], shipped: Int?) -> String {
        let names = rows[0].evaluation.metrics.keys.sorted()
        var table = MarkdownTable(
            ["model", "bytes", "compression"] + names + ["KL", "tokens/s", "peak memory, MB"])
        for (name, result) in rows {
            let ratio = Double(rows[0].evaluation.bytes) / Double(result.bytes)
            var cells = [name, grouped(result.bytes), fixed(ratio, 2) + "x"]
            cells += names.map { name in result.metrics[name].map { metricText($0, of: name) } ?? "" }
            cells += [klText(result.kl ?? 0), fixed(result.tokensPerSecond, 0)]
            cells.append(fixed(Double(result.peakMemoryBytes) / 1e6, 1))
            table.add(cells)
        }
        guard let shipped, let plan = rows.last?.evaluation.bytes else { return table.text }
        return table.text
            + "\nThe model's own file of integers has \(grouped(shipped)) bytes: the last of these is "
            + "\(fixed(Double(shipped) / Double(plan), 2))x smaller.\n"
    }
}
