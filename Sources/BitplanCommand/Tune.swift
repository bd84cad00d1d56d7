import ArgumentParser
import BitplanModels
import BitplanReporting
import BitplanTensors
import BitplanTraining
import BitplanWorkflows
import Foundation
import PlanFormat

struct Tune: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Trains what a plan has quantized until it says again what the full model says.",
        discussion: """
            Learns from text alone: the full model's own answers are what is learned, and held-out text decides which parameters are \
            written. The packed directory has the plan's bytes; beside it lies a log for `bitplan report --training`.
            """)

    @OptionGroup var model: ModelArguments
    @OptionGroup var plans: PlanOptions
    @Option(help: "Packed directory to start from, instead of a plan.") var packed: String?
    @OptionGroup var data: DataOptions
    @OptionGroup var targets: KLTargetOptions
    @Option(
        parsing: .upToNextOption,
        help:
            "Data that decide which parameters are written; a tenth of the data, 200 items at most, where not given."
    )
    var heldOut: [String] = []
    @Option(help: "Use only the first items of the held-out data.") var heldOutLimit: Int?
    @OptionGroup var calibration: CalibrationOptions
    @Option(
        help:
            "What is learned and how: scales (small memory) or weights, by the model's size where not given; or as a paper has it."
    )
    var recipe: TrainingRecipe?
    @Option(help: "Minutes that training takes; the log says the steps.") var minutes: Double?
    @Option(help: "Steps that training takes.") var steps: Int?
    @OptionGroup var settings: TrainingOptions
    @OptionGroup var task: TaskArguments
    @OptionGroup var storage: StoreOptions
    @Flag(help: "Go on from the checkpoint of an interrupted run.") var resume = false
    @Option(help: "Seconds from one checkpoint to the next.") var checkpointEvery = 60.0
    @Option(help: "Packed directory to write.") var output: String
    @Flag(help: "Only try a few steps, and say what memory and how many steps a minute they take.")
    var dryRun = false
    @Flag(help: "Print the log as JSON.") var json = false

    func run() throws {
        try reporting {
            let length: TrainingLength
            switch (minutes, steps) {
            case (let minutes?, nil): length = .minutes(minutes)
            case (nil, let steps?): length = .steps(steps)
            default: throw UsageError("expected one of --minutes and --steps")
            }
            let settings = settings
            func run<F: ModelFamily>(_ family: F.Type) throws {
                let request = TuneRequest(
                    model: try model.place, start: try start(family), data: data.source(targets.targets),
                    heldOut: heldOut.isEmpty
                        ? nil
                        : DataSource(
                            files: heldOut.map { URL(path: $0) }, limit: heldOutLimit,
                            windows: data.windows.windows, targets: targets.targets),
                    calibration: calibration.source(data.windows), recipe: recipe, length: length,
                    task: task.options, store: try storage.open(), output: URL(path: output), resumes: resume,
                    checkpointInterval: checkpointEvery
                ) { try settings.apply(to: &$0) }
                try checkOutputs(
                    [request.log], inputs: ([model.model] + data.files.data + heldOut).map { URL(path: $0) })
                guard !dryRun else {
                    let estimate = try TuneEstimate(family, request)
                    return try printResult(estimate, asJSON: json, estimate.text)
                }
                let log = try naming(URL(path: plans.plan ?? packed ?? model.model)) {
                    try tune(family, request) { writeNote($0) }
                }
                try printResult(log, asJSON: json, log.summary(output: output))
            }
            try run(try Families.family(of: model.place))
        }
    }

    private func start<F: ModelFamily>(_ family: F.Type) throws -> TuneRequest.Start {
        guard let packed else { return .plan(try plans.plan(of: family, model.place, hasText: true)) }
        guard plans.plan == nil, plans.preset == nil else {
            throw UsageError("expected one of --plan, --preset and --packed")
        }
        return .packed(URL(path: packed))
    }
}

extension TrainingRecipe: ExpressibleByArgument {}
extension TrainingSettings.Schedule: ExpressibleByArgument {}
extension TrainingObjective: ExpressibleByArgument {}
extension QuantizationNoise.Kind: ExpressibleByArgument {}

/// Settings in place of a recipe's own.
struct TrainingOptions: ParsableArguments {
    @Option(help: "What is learned from: the full model's answers (kl), or labels and references.")
    var objective: TrainingObjective?
    @Option(
        help:
            "kl: the share of what is learned that labels or references have beside the full model's answers."
    )
    var labelShare: Double?
    @Option(
        help: ArgumentHelp(
            "quant-noise: what becomes of chosen blocks, their codes (exact) or zeros (proxy); ipq: the first half of the run is under such noise."
        ))
    var noise: QuantizationNoise.Kind?
    @Option(help: "quant-noise: the share of blocks that are chosen in a step; 1 is all.")
    var noiseRate: Double?
    @Option(help: "quant-noise: weights of a block, next to each other in a row.") var noiseBlock: Int?
    @Option(parsing: .upToNextOption, help: "sensimix: what is left out, of abwr, pt, ilf.")
    var without: [String] = []
    @Option(help: "Items of a step.") var batchSize: Int?
    @Option(help: "Relative rate of scales, alphas and centroids.") var rate: Float?
    @Option(help: "Relative rate of latent weights.") var weightRate: Float?
    @Option(help: "Relative rate of biases and norms.") var vectorRate: Float?
    @Option(help: "How rates fall: cosine, linear, constant.") var schedule: TrainingSettings.Schedule?
    @Option(help: "Longest gradient of all parameters together.") var clip: Float?
    @Option(
        help: ArgumentHelp(
            "Adam's epsilon, as a share of an array's root mean square: with 1 what has few gradients, as rare tokens have, moves less; none where not given."
        ))
    var epsilon: Float?
    @Option(help: "Steps after which latent weights are coded again.") var recodeEvery: Int?
    @Option(help: "Steps after which held-out data are measured.") var evaluateEvery: Int?
    @Option(help: "Where the order of the items starts.") var trainingSeed: UInt64?

    func validate() throws {
        for (name, value) in [
            ("--batch-size", batchSize), ("--recode-every", recodeEvery), ("--evaluate-every", evaluateEvery),
        ] {
            if let value, !(1...1_000_000).contains(value) {
                throw ValidationError("\(name): expected 1 to 1000000, got \(value)")
            }
        }
        if let labelShare, !(0...1).contains(labelShare) {
            throw ValidationError("--label-share: expected 0 to 1, got \(labelShare)")
        }
        for (name, value) in [
            ("--rate", rate), ("--weight-rate", weightRate), ("--vector-rate", vectorRate), ("--clip", clip),
            ("--epsilon", epsilon),
        ] {
            if let value, !(value >= 0 && value.isFinite) {
                throw ValidationError("\(name): expected 0 or more, got \(value)")
            }
        }
    }

    func apply(to settings: inout TrainingSettings) throws {
        if let objective { settings.objective = objective }
        if let labelShare {
            guard settings.objective == .kl else {
                throw UsageError("--label-share is a setting of objective 'kl', not of 'labels'")
            }
            settings.labelShare = labelShare
        }
        // iPQ has noise before it where it is asked for.
        if let noise, settings.recipe == .ipq || settings.noise != nil {
            settings.noise = QuantizationNoise(kind: noise)
        }
        for (name, isGiven) in [
            ("--noise", noise != nil), ("--noise-rate", noiseRate != nil),
            ("--noise-block", noiseBlock != nil),
        ] where isGiven && settings.noise == nil {
            throw RecipeError.notHonoured(setting: name, settings.recipe, of: .quantNoise)
        }
        if let noiseRate { settings.noise?.rate = noiseRate }
        if let noiseBlock { settings.noise?.block = noiseBlock }
        if !without.isEmpty, settings.sensimix == nil {
            throw RecipeError.notHonoured(setting: "--without", settings.recipe, of: .sensimix)
        }
        for name in without {
            guard let part = SensiMixParts.part(name) else {
                throw UsageError("--without: expected abwr, pt or ilf, got \(name)")
            }
            settings.sensimix?[keyPath: part] = false
        }
        if let batchSize { settings.batchSize = batchSize }
        if let rate { settings.rates.numbers = rate }
        if let weightRate { settings.rates.weights = weightRate }
        if let vectorRate { settings.rates.vectors = vectorRate }
        if let schedule { settings.schedule = schedule }
        if let clip { settings.clip = clip }
        if let epsilon { settings.epsilon = epsilon }
        if let recodeEvery { settings.recodeEvery = recodeEvery }
        if let evaluateEvery { settings.evaluateEvery = evaluateEvery }
        if let trainingSeed { settings.seed = trainingSeed }
    }
}

/// Tells what training has to tell.
func writeNote(_ event: TuneEvent) {
    switch event {
    case .note(let line): writeNote(line)
    case .point(let point, let steps, let left): writeNote(point.text(of: steps, left: left))
    }
}

extension TuneEstimate {
    fileprivate var text: String {
        "\(fixed(stepsPerMinute, 0)) steps of \(grouped(batchSize)) items a minute, \(fixed(tokensPerSecond, 0)) tokens a second, "
            + "about \(fixed(seconds, 0)) s in all on free cores, \(fixed(Double(peakMemoryBytes) / 1e6, 0)) MB of memory; recipe \(recipe), \(grouped(items)) items"
    }
}

extension TrainingLog.Point {
    /// One line of progress.
    fileprivate func text(of steps: Int, left: Double) -> String {
        var line = "step \(step) of \(steps): held-out KL \(fixed(heldOut, 4))"
        if let heldOutCrossEntropy { line += ", cross-entropy \(fixed(heldOutCrossEntropy, 4))" }
        if let training { line += ", training \(fixed(training, 4))" }
        if left.isFinite { line += ", \(fixed(left / 60, 1)) minutes left" }
        return line
    }
}

extension TrainingLog {
    /// What came of the run.
    fileprivate func summary(output: String) -> String {
        let first = points.first?.heldOut ?? 0
        let best = points.first { $0.step == bestStep }?.heldOut ?? first
        let outcome =
            bestStep == 0
            ? "no parameters were better than the start, which is written"
            : "held-out KL \(fixed(first, 4)) -> \(fixed(best, 4))\(crossEntropies) after \(bestStep) of \(steps) steps"
        return "\(output): \(grouped(bytes)) bytes, \(outcome)"
    }

    /// Cross-entropies before and after, where labels have a part in what is learned.
    private var crossEntropies: String {
        guard let first = points.first?.heldOutCrossEntropy,
            let best = points.first(where: { $0.step == bestStep })?.heldOutCrossEntropy
        else { return "" }
        return ", cross-entropy \(fixed(first, 4)) -> \(fixed(best, 4))"
    }
}
