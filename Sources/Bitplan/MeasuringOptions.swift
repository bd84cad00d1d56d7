import BitplanMeasurements
import BitplanSensitivity
import Foundation

/// How codes are fitted and how much is measured.
public struct MeasuringOptions: Sendable {
    /// Where measurements are kept, so that none is made twice.
    public enum Store: Hashable, Sendable {
        /// Nowhere.
        case none
        /// In one file for the user, as the command line does.
        case user
        /// In this file.
        case file(URL)
    }

    /// How codes are fitted.
    public var fit: CodeFit
    /// Text that codes are calibrated on; the data themselves where nil.
    public var calibration: TextData?
    /// How the task is run where its metric is measured.
    public var run: RunOptions
    /// How many cells of a sweep, those of largest KL first, get the task's metric too.
    public var metricCells: Int
    /// Whether a sweep measures kinds and stacks beside sublayers.
    public var measuresGroups: Bool
    /// The share of a plan's loss that a sweep may lose to wrong choices for the sake of fewer items a cell;
    /// nil measures all items.
    public var precision: Double?
    /// What stands in a sweep's cells instead of KL, where measuring takes too long.
    public var proxy: ProxySignal?
    /// Where measurements are kept.
    public var store: Store

    /// Codes fitted by curvature, KL alone, all items, nothing kept.
    public init(
        fit: CodeFit = .curvature, calibration: TextData? = nil, run: RunOptions = RunOptions(),
        metricCells: Int = 0, measuresGroups: Bool = true, precision: Double? = nil,
        proxy: ProxySignal? = nil, store: Store = .none
    ) {
        self.fit = fit
        self.calibration = calibration
        self.run = run
        self.metricCells = metricCells
        self.measuresGroups = measuresGroups
        self.precision = precision
        self.proxy = proxy
        self.store = store
    }

    /// What the stages take; opens the store.
    func stageOptions(fit: CodeFit? = nil) throws -> BitplanSensitivity.MeasuringOptions {
        let opened: MeasurementStore? =
            switch store {
            case .none: nil
            case .user: try MeasurementStore(MeasurementStore.defaultFile())
            case .file(let file): try MeasurementStore(file)
            }
        return .init(fit: fit ?? self.fit, task: run.task, store: opened)
    }

    /// What a sweep of these candidates measures.
    func sweepOptions(_ candidates: [Scheme]) -> SweepOptions {
        var options = SweepOptions(candidates: candidates)
        options.metricCells = metricCells
        if !measuresGroups { options.groupCandidates = [] }
        options.precision = precision
        options.proxy = proxy
        return options
    }
}
