import ArgumentParser
import BitplanMeasurements
import BitplanModels
import BitplanSensitivity
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

/// Files of data, where a command may have none.
struct DataFiles: ParsableArguments {
    @Option(
        name: .long, parsing: .upToNextOption,
        help: ArgumentHelp(
            "Data files: source and reference for translation. Without references (a source alone, texts without labels or scores), KL on the model's own outputs is all that is measured.",
            valueName: "file"))
    var data: [String] = []

    @Option(help: "Use only the first items.")
    var limit: Int?

    @OptionGroup var windows: WindowOptions

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit: expected at least 1, got \(limit)") }
    }

    /// Checks that there are files.
    func validateGiven() throws {
        if data.isEmpty {
            throw ValidationError("--data is missing: expected the files that the model is measured on")
        }
    }

    /// The items of the files.
    func source(_ targets: KLTargets = .references) -> DataSource {
        DataSource(
            files: data.map { URL(path: $0) }, limit: limit, windows: windows.windows, targets: targets)
    }
}

/// The data that a model is measured on.
struct DataOptions: ParsableArguments {
    @OptionGroup var files: DataFiles

    func validate() throws { try files.validateGiven() }

    /// How language models read them.
    var windows: WindowOptions { files.windows }

    /// The items of the files.
    func source(_ targets: KLTargets = .references) -> DataSource { files.source(targets) }
}

/// What KL is measured on.
struct KLTargetOptions: ParsableArguments {
    @Option(
        help:
            "What KL is measured on where the data have references: them, or the full-precision model's own outputs (references, own)."
    )
    var targets = KLTargets.references
}

extension KLTargets: ExpressibleByArgument {}

/// How language models read a text, of data and calibration alike.
struct WindowOptions: ParsableArguments {
    @Option(help: "Language models: tokens of a window of text.") var context: Int?
    @Option(
        help:
            "Language models: tokens by which windows move on, and that each predicts; half a window where not given."
    )
    var stride: Int?

    /// nil where nothing is said.
    var windows: TextWindows? {
        context != nil || stride != nil ? TextWindows(context: context, stride: stride) : nil
    }
}

/// How the task is run.
struct TaskArguments: ParsableArguments {
    @Option(help: "Beams of a search; 1 is greedy.")
    var beams = 1

    @Option(help: "Threads; results do not depend on it. A batch alone has them for its products.")
    var threads = 2

    @Option(help: "Items at a time.")
    var batch = 32

    @Option(help: "Longest output in tokens; the model's own limit where not given.")
    var maxLength: Int?

    @Option(help: "Language models: 0 takes the likeliest token, more samples.")
    var temperature = 0.0

    @Option(help: "Where sampling starts.")
    var seed: UInt64 = 0

    @OptionGroup var language: LanguageOptions

    func validate() throws {
        guard temperature >= 0, temperature.isFinite else {
            throw ValidationError("--temperature: expected 0 or more, got \(temperature)")
        }
        for (name, value) in [
            ("--beams", beams), ("--threads", threads), ("--batch", batch), ("--max-length", maxLength ?? 1),
        ]
        where !(1...65536).contains(value) {
            throw ValidationError("\(name): expected 1 to 65536, got \(value)")
        }
    }

    var options: TaskOptions {
        TaskOptions(
            beams: beams, maximumLength: maxLength, batchSize: batch, threads: threads,
            temperature: temperature, seed: seed, languages: language.languages)
    }
}

/// What a sweep tries.
struct SweepOptions: ParsableArguments {
    @Option(
        help:
            "Candidate schemes, e.g. bcq1..4,int4:g64,nf4; auto are those that measured best, rotated ones among them where weights have outliers."
    )
    var schemes = SchemeList(Scheme.automatic)

    @Option(help: "What has a scheme of its own: sublayer, matrix.")
    var unit = PlanUnit.sublayer

    @Option(help: "How codes are fitted: greedy, refined, alternating, calibrated, curvature.")
    var fit = CodeFit.curvature

    @Option(
        help: """
            What stands in the cells: measured (KL), or a proxy where measuring is too dear: weight (squared weight error), output \
            (output error on calibration text), fisher (output error x curvature, an estimate of KL).
            """)
    var signal = Signal.measured

    @Flag(help: "Measure the task's metric in every cell too, beside KL; costs much more.")
    var metric = false

    @Option(help: "Measure the task's metric in the cells of largest KL only, so many.")
    var metricTop: Int?

    @Flag(inversion: .prefixedNo, help: "Measure types and stacks beside sublayers.")
    var groups = true

    @Option(
        help:
            "End a cell once wrong choices for the sake of fewer items cost at most this share of a plan's loss, e.g. 0.02."
    )
    var precision: Double?

    @Flag(help: "Run the whole model and all its logits for every cell: a comparison for what is faster.")
    var naive = false

    func validate() throws {
        guard fit != .stored else {
            throw ValidationError(
                "--fit: expected greedy, refined, alternating, calibrated or curvature, got stored, which only quantize takes"
            )
        }
        if let precision, !(precision > 0 && precision < 1) {
            throw ValidationError("--precision: expected more than 0 and less than 1, got \(precision)")
        }
        if let metricTop, metricTop < 1 {
            throw ValidationError("--metric-top: expected at least 1, got \(metricTop)")
        }
    }

    /// What the sweep measures.
    var cells: BitplanSensitivity.SweepOptions {
        var options = BitplanSensitivity.SweepOptions(candidates: schemes.schemes)
        options.metricCells = metric ? .max : metricTop ?? 0
        if !groups { options.groupCandidates = [] }
        options.precision = precision
        options.proxy = signal.proxy
        return options
    }

    /// How the model is measured.
    func measuring(_ task: TaskOptions, _ store: MeasurementStore?) -> MeasuringOptions {
        MeasuringOptions(fit: fit, task: task, unit: unit, isNaive: naive, store: store)
    }
}

extension PlanUnit: ExpressibleByArgument {}

/// What the cells of a table carry.
enum Signal: String, ExpressibleByArgument, CaseIterable {
    case measured, output, weight, fisher

    /// nil where KL is measured.
    var proxy: ProxySignal? { ProxySignal(rawValue: rawValue) }
}

/// The text that codes are calibrated on.
struct CalibrationOptions: ParsableArguments {
    @Option(parsing: .upToNextOption, help: "Text that codes are calibrated on; the data where not given.")
    var calibration: [String] = []

    @Option(help: "Use only the first items of that text.")
    var calibrationLimit: Int?

    func source(_ windows: WindowOptions) -> DataSource? {
        calibration.isEmpty
            ? nil
            : DataSource(
                files: calibration.map { URL(path: $0) }, limit: calibrationLimit, windows: windows.windows)
    }
}

/// A plan, by file or by name.
struct PlanOptions: ParsableArguments {
    @Option(help: "Plan file.") var plan: String?
    @Option(
        help:
            "Plan by name instead: chung, chung:4, chung:8 (Algorithm 1's r), sensimix:LOWER+UPPER (layers; others keep FP16), ipq, ipq:int8 or ipq:int8:a8 (QuantNoise's product codes), or a scheme for all sublayers."
    )
    var preset: String?
    @Option(
        help:
            "How a preset's codes are fitted: curvature where there is text, else alternating; stored, of quantize alone: they are not, training elsewhere has left them beside the model."
    )
    var fit: CodeFit?

    /// The plan for a model.
    ///
    /// - Throws: `UsageError` where not exactly one is named.
    func plan<F: ModelFamily>(of family: F.Type, _ directory: URL, hasText: Bool) throws -> Plan {
        guard fit != .stored else {
            throw UsageError(
                "--fit stored: only quantize takes stored codes, by the plan that lies beside them")
        }
        switch (plan, preset) {
        case (let plan?, nil): return try JSONFile.read(Plan.self, from: URL(path: plan))
        case (nil, let preset?):
            return try presetPlan(
                family, directory, try Preset(named: preset),
                fit: fit ?? (hasText ? .curvature : .alternating))
        default: throw UsageError("expected one of --plan and --preset")
        }
    }
}
