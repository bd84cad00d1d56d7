import BitplanModels
import BitplanPlanning
import BitplanWorkflows
import Foundation

extension Model {
    /// Measures how much every sublayer loses under every candidate scheme, alone and by kind.
    ///
    /// - Parameters:
    ///   - data: the items that KL is measured on.
    ///   - candidates: what sublayers may become.
    ///   - options: how codes are fitted, how much is measured, and where measurements are kept.
    ///   - progress: called with the work that is done so far, and what it will be at most.
    /// - Throws: `BitplanError` for what is wrong with model or data; measurements that were made stay in the
    ///   store.
    public func sweep(
        _ data: TextData, candidates: [Scheme], options: MeasuringOptions = MeasuringOptions(),
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws(BitplanError) -> SensitivityTable {
        try describingErrors {
            func run<F: ModelFamily>(_ family: F.Type) throws -> SensitivityTable {
                try open(family, data, options).sweep(
                    options.sweepOptions(candidates), progress: progress)
            }
            return try run(try Families.family(of: directory))
        }
    }

    /// Plans for a target: the best start is improved by measuring in context, and no plan that loses to a
    /// uniform one of its size is returned.
    ///
    /// - Parameters:
    ///   - table: what `sweep` measured of this model; its fit is the plan's.
    ///   - target: the limits, and what sublayers may become.
    ///   - data: the items that plans are measured on.
    ///   - options: how plans are measured, and where measurements are kept.
    ///   - effort: most measurements.
    ///   - round: called with each round of planning.
    /// - Throws: `BitplanError` where nothing fits; it names the limit at fault and says by how much.
    public func plan(
        _ table: SensitivityTable, for target: Target, measuredOn data: TextData,
        options: MeasuringOptions = MeasuringOptions(), effort: Int = 1000,
        round: (Plan.Round) -> Void = { _ in }
    ) throws(BitplanError) -> Plan {
        try describingErrors {
            func run<F: ModelFamily>(_ family: F.Type) throws -> Plan {
                try open(family, data, options, fit: table.fit).plan(
                    table, target: try target.target(), effort: effort
                ) { round($0.record) }.record
            }
            return try run(try Families.family(of: directory))
        }
    }

    private func open<Family: ModelFamily>(
        _ family: Family.Type, _ data: TextData, _ options: MeasuringOptions, fit: CodeFit? = nil
    ) throws -> MeasuredModel<Family> {
        try MeasuredModel<Family>(
            directory, source: data.source, calibration: options.calibration?.source,
            options: try options.stageOptions(fit: fit))
    }

    /// Encodes the model as a plan says and writes the packed directory: all of it, or nothing.
    ///
    /// - Parameters:
    ///   - plan: the schemes, by sublayer or kind, and the fit of their codes.
    ///   - text: what codes are calibrated on and tokens are counted on; needed where the plan's fit or
    ///     schemes ask for it.
    ///   - output: the directory to write: new, empty, or a packed model that is replaced.
    ///   - options: threads that run the model over `text`, on which bytes do not depend; the languages that
    ///     the packed model translates between. Nothing else is read.
    /// - Returns: the packed model.
    /// - Throws: `BitplanError` where the plan is for another model or needs text, or `output` holds
    ///   something else.
    @discardableResult
    public func quantize(
        _ plan: Plan, text: TextData? = nil, to output: URL, options: RunOptions = RunOptions()
    ) throws(BitplanError) -> Model {
        try describingErrors {
            func run<F: ModelFamily>(_ family: F.Type) throws -> Model {
                _ = try BitplanWorkflows.quantize(
                    family, model: directory, plan: plan, text: text?.source, to: output,
                    threads: options.threads, languages: options.task.languages)
                return try Model(at: output)
            }
            return try run(try Families.family(of: directory))
        }
    }
}
