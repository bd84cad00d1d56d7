import BitplanMeasurements
import BitplanReporting
import BitplanSensitivity
import BitplanWorkflows
import Foundation

/// One line on standard error that says how far a long job is and how long it may still take; silent where
/// that is no terminal.
final class ProgressLine {
    private let label: String
    private let start = ContinuousClock.now
    private let isShown = isatty(FileHandle.standardError.fileDescriptor) == 1

    init(_ label: String) { self.label = label }

    func show(_ done: Int, of total: Int) {
        guard isShown, done > 0 else { return }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let left = Int(seconds / Double(done) * Double(total - done))
        let percent = Int(100 * Double(done) / Double(total))
        let text = "\r\(label): \(percent)%, \(left) s left   " + (done == total ? "\n" : "")
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// What a sweep cost.
    func tell(_ cost: SweepCost) {
        let text =
            "\(label): \(fixed((ContinuousClock.now - start) / .seconds(1), 1)) s. Measuring took "
            + "\(fixed(cost.measuringSeconds, 1)) CPU s, \(fixed(cost.evaluations, 1)) times one evaluation of "
            + "\(fixed(cost.evaluationSeconds, 2)) CPU s; encoding \(fixed(cost.encodingSeconds, 1)) CPU s.\n"
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// What a store was used for.
    func tell(_ store: MeasurementStore?) {
        guard let store else { return }
        let usage = store.usage
        let text =
            "store: \(usage.kept) measurements were kept, \(usage.made) were made; \(store.file.path)\n"
        FileHandle.standardError.write(Data(text.utf8))
    }
}
