import BitplanModels
import BitplanWorkflows
import Foundation

/// Where `Model.auto` leaves what it makes.
public struct AutoPlaces: Hashable, Sendable {
    /// The stem of the files: `<name>.plan.json`, `<name>.sensitivity.json`, `<name>.md`, `<name>.html`...
    public var name: String
    /// The directory of table, comparison and report.
    public var reports: URL
    /// The directory of the plan.
    public var plans: URL
    /// The packed model directory; uniform models that it is compared with go beside it.
    public var packed: URL

    /// Places under these directories.
    public init(name: String, reports: URL, plans: URL, packed: URL) {
        self.name = name
        self.reports = reports
        self.plans = plans
        self.packed = packed
    }
}

/// A model that `Model.auto` evaluated.
public struct EvaluatedModel: Sendable {
    /// `full precision`, `uniform bcq2`, `plan (in context)`...
    public let name: String
    /// What it does on the data.
    public let evaluation: Evaluation
}

extension Model {
    /// All stages with one call: sweep, plan, quantize, evaluate beside uniform plans, report. A stage's
    /// files are written when it ends.
    ///
    /// - Parameters:
    ///   - data: the items that sublayers and plans are measured on.
    ///   - target: the limits, and what sublayers may become.
    ///   - candidates: the schemes that the sweep tries.
    ///   - check: other data that the final table is measured on; `data` where nil, and the report says so.
    ///   - options: how codes are fitted, how much is measured, and where measurements are kept.
    ///   - effort: most measurements after the sweep.
    ///   - places: where the files go.
    /// - Returns: what was compared, full precision first. Peak memory is that of this process, which ran all
    ///   stages.
    /// - Throws: `BitplanError`; outputs that cannot be written, data that cannot be read and limits that
    ///   cannot be met are found before the sweep.
    public func auto(
        _ data: TextData, for target: Target, candidates: [Scheme], check: TextData? = nil,
        options: MeasuringOptions = MeasuringOptions(), effort: Int = 1000, to places: AutoPlaces
    ) throws(BitplanError) -> [EvaluatedModel] {
        try describingErrors {
            let request = AutoRequest(
                model: directory, source: data.source, check: check?.source,
                calibration: options.calibration?.source, target: try target.target(),
                sweep: options.sweepOptions(candidates), measuring: try options.stageOptions(),
                effort: effort,
                output: AutoOutput(
                    name: places.name, reports: places.reports, plans: places.plans, packed: places.packed))
            func run<F: ModelFamily>(_ family: F.Type) throws -> [EvaluatedModel] {
                try BitplanWorkflows.auto(
                    family, request, evaluate: { try BitplanWorkflows.evaluate(family, $0) }, event: { _ in }
                ).map { EvaluatedModel(name: $0.name, evaluation: $0.evaluation) }
            }
            return try run(try Families.family(of: directory))
        }
    }
}
