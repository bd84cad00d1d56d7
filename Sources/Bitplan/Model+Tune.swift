import BitplanModels
import BitplanTraining
import BitplanWorkflows
import Foundation

/// How a quantized model is trained.
public struct TuningOptions: Sendable {
    /// What is learned.
    public enum Recipe: String, Sendable, CaseIterable {
        /// Scales, alphas, centroids, biases and norms, codes fixed.
        case scales
        /// Latent weights too, from which codes follow.
        case weights
        /// Weights that are replaced by what their codes stand for, embedding, decoder and encoder in turn;
        /// learns from references.
        case chung
    }

    /// How long a run is.
    public enum Length: Sendable, Hashable {
        /// So many steps: the same bytes on every machine with the same instructions.
        case steps(Int)
        /// As many steps as fit; the log says how many.
        case minutes(Double)
    }

    /// What is learned; by the model's size where nil.
    public var recipe: Recipe?
    /// How long.
    public var length: Length
    /// Data that decide which parameters are written; a part of the data where nil.
    public var heldOut: TextData?
    /// Text that the plan's codes are calibrated on; the first items of the data where nil.
    public var calibration: TextData?
    /// Items of a step.
    public var batchSize: Int
    /// Where the order of the items starts.
    public var seed: UInt64
    /// How the task is run, and threads.
    public var run: RunOptions
    /// Whether the run goes on from the checkpoint that an interrupted one has left.
    public var resumes: Bool

    /// A run of this length; the rest as measured best.
    public init(
        length: Length, recipe: Recipe? = nil, heldOut: TextData? = nil, calibration: TextData? = nil,
        batchSize: Int = 64, seed: UInt64 = 0, run: RunOptions = RunOptions(), resumes: Bool = false
    ) {
        self.length = length
        self.recipe = recipe
        self.heldOut = heldOut
        self.calibration = calibration
        self.batchSize = batchSize
        self.seed = seed
        self.run = run
        self.resumes = resumes
    }
}

extension Model {
    /// Encodes the model as a plan says and trains it to say again what the full-precision model says.
    ///
    /// - Parameters:
    ///   - plan: the schemes; the packed model has the plan's bytes.
    ///   - data: what is learned from; text alone suffices but for `chung`.
    ///   - options: how.
    ///   - output: the packed directory; `<output>.training.json` beside it is the log.
    ///   - point: called with every measurement of held-out items.
    /// - Returns: the packed model and the log. It is never worse on held-out items than the plan's codes as
    ///   they are fitted.
    /// - Throws: `BitplanError` for what is wrong with model, plan or data.
    public func tune(
        _ plan: Plan, on data: TextData, options: TuningOptions, to output: URL,
        point: (TrainingLog.Point) -> Void = { _ in }
    ) throws(BitplanError) -> (model: Model, log: TrainingLog) {
        try describingErrors {
            let length: TrainingLength =
                switch options.length {
                case .steps(let steps): .steps(steps)
                case .minutes(let minutes): .minutes(minutes)
                }
            let request = TuneRequest(
                model: directory, start: .plan(plan), data: data.source, heldOut: options.heldOut?.source,
                calibration: options.calibration?.source,
                recipe: options.recipe.flatMap { TrainingRecipe(rawValue: $0.rawValue) }, length: length,
                task: options.run.task, output: output, resumes: options.resumes
            ) {
                $0.batchSize = max(1, options.batchSize)
                $0.seed = options.seed
            }
            func run<F: ModelFamily>(_ family: F.Type) throws -> TrainingLog {
                try BitplanWorkflows.tune(family, request) {
                    if case .point(let measured, of: _, left: _) = $0 { point(measured) }
                }
            }
            let log = try run(try Families.family(of: directory))
            return (try Model(at: output), log)
        }
    }
}
