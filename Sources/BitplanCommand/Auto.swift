import ArgumentParser
import BitplanModels
import BitplanReporting
import BitplanWorkflows
import Foundation
import PlanFormat

struct Auto: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "All of it: sweep, plan, quantize, evaluate beside uniform plans, report.")

    @Argument(help: "Model directory.") var model: String
    @OptionGroup var data: DataOptions
    @Option(parsing: .upToNextOption, help: "Other data that the final table is measured on.") var check:
        [String] = []
    @Option(help: "Use only the first items of the checking data.") var checkLimit: Int?
    @OptionGroup var target: TargetOptions
    @OptionGroup var sweep: SweepOptions
    @OptionGroup var calibration: CalibrationOptions
    @OptionGroup var task: TaskArguments
    @OptionGroup var storage: StoreOptions
    @Option(help: "Most measurements in context.") var effort = 1000
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

    func run() throws {
        try reporting {
            let checkSource =
                check.isEmpty
                ? nil
                : DataSource(
                    files: check.map { URL(path: $0) }, limit: checkLimit, windows: data.windows.windows)
            let measured = checkSource ?? data.source
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let progress = ProgressLine("sweep")
                let store = try storage.open()
                let options: Workbench<F>.Options = sweep.options(task.options, store)
                guard !dryRun else {
                    let estimate = try Workbench<F>.estimate(
                        URL(path: model), source: data.source, calibration: calibration.source(data.windows),
                        options: options,
                        candidates: sweep.schemes.schemes, effort: effort)
                    return try printResult(estimate, asJSON: json, estimate.text(threads: task.threads))
                }
                let rows = try auto(
                    family, model: URL(path: model), source: data.source, check: checkSource,
                    target: try target.target(),
                    candidates: sweep.schemes.schemes, calibration: calibration.source(data.windows),
                    options: options,
                    effort: effort,
                    output: AutoOutput(
                        name: name, reports: URL(path: reports), plans: URL(path: plans),
                        packed: URL(path: output)),
                    evaluate: { try evaluateInOwnProcess($0, measured) },
                    event: { show($0, progress) })
                progress.tell(store)
                try printResult(
                    rows.map { Row(name: $0.name, evaluation: $0.evaluation) }, asJSON: json, finalTable(rows)
                )
            }
            try run(try Families.family(of: URL(path: model)))
        }
    }

    /// Evaluates a directory in a process of its own: its peak memory is that of the model alone.
    private func evaluateInOwnProcess(_ directory: URL, _ source: DataSource) throws -> Evaluation {
        let process = Process()
        process.executableURL = Bundle.main.executableURL ?? URL(path: CommandLine.arguments[0])
        var arguments = ["evaluate", directory.path, "--json", "--reference", model]
        arguments += ["--beams", "\(task.beams)", "--threads", "\(task.threads)", "--batch", "\(task.batch)"]
        if let length = task.maxLength { arguments += ["--max-length", "\(length)"] }
        if let limit = source.limit { arguments += ["--limit", "\(limit)"] }
        if let windows = source.windows {
            arguments += ["--context", "\(windows.context)", "--stride", "\(windows.stride)"]
        }
        arguments += ["--data"] + source.files.map(\.path)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw UsageError("evaluating \(directory.path) failed") }
        return try JSONFile.decode(Evaluation.self, from: data, file: directory)
    }

    private func show(_ event: AutoEvent, _ progress: ProgressLine) {
        guard !json else { return }
        switch event {
        case .cells(let done, let total): progress.show(done, of: total)
        case .sensitivity(let table): print(table.markdown)
        case .round(let round):
            print(
                "in context: \(round.moves) sublayers moved, KL predicted \(klText(round.predictedKL)), "
                    + "measured \(klText(round.measuredKL))\(round.isAccepted ? "" : ", not taken")")
        case .planned(let result):
            print(
                "plan: \(result.plan.name ?? "unnamed"), \(grouped(result.plan.predicted?.bytes ?? 0)) bytes\n"
            )
        case .evaluating: break
        }
    }

    private func finalTable(_ rows: [(name: String, evaluation: Evaluation)]) -> String {
        let names = rows[0].evaluation.metrics.keys.sorted()
        var table = MarkdownTable(
            ["model", "bytes", "compression"] + names + ["KL", "tokens/s", "peak memory, MB"])
        for (name, result) in rows {
            let ratio = Double(rows[0].evaluation.bytes) / Double(result.bytes)
            var cells = [name, grouped(result.bytes), fixed(ratio, 2) + "x"]
            cells += names.map { metricText(result.metrics[$0] ?? 0, of: $0) }
            cells += [klText(result.kl ?? 0), fixed(result.tokensPerSecond, 0)]
            cells.append(fixed(Double(result.peakMemoryBytes) / 1e6, 1))
            table.add(cells)
        }
        return table.text
    }
}
