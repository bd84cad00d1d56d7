import PlanFormat

/// Everything but the assignment that a measurement is a function of, by content: the key under which a store
/// keeps it.
package struct Experiment: Hashable, Sendable {
    /// What measures: the reading of data, networks, kernels, encoders, KL and the tasks' metrics.
    ///
    /// Add 1 when a change in any of them changes what is measured by more than rounding does; what a store
    /// has from before is then measured again.
    package static let currentVersion = 9

    /// How the matrices of a plan are encoded.
    package enum Encoding: String, Hashable, Sendable, CaseIterable {
        /// Every matrix by itself, as the cells of a table are.
        case alone
        /// In order of execution, every matrix behind the ones already encoded, as `PlanEncoder` does for
        /// calibrated codes.
        case inOrder
    }

    /// SHA-256 of the weights.
    package var weights: String
    /// SHA-256 of configuration and tokenizer: the same weights under another configuration are another
    /// model.
    package var configuration: String
    /// SHA-256 of the data, and how much of them was read.
    package var data: String
    /// SHA-256 of the text that codes were calibrated on; that of the data where it was no other.
    package var calibration: String
    /// How codes were fitted.
    package var fit: CodeFit
    /// How the matrices were encoded.
    package var encoding: Encoding
    /// `currentVersion` of the program that measured.
    package var version: Int

    /// A key of these parts.
    package init(
        weights: String, configuration: String, data: String, calibration: String, fit: CodeFit,
        encoding: Encoding = .alone, version: Int = Experiment.currentVersion
    ) {
        self.weights = weights
        self.configuration = configuration
        self.data = data
        self.calibration = calibration
        self.fit = fit
        self.encoding = encoding
        self.version = version
    }

    /// The parts in the order of the store's columns.
    var parts: [String] {
        [weights, configuration, data, calibration, fit.rawValue, encoding.rawValue, "\(version)"]
    }
}
