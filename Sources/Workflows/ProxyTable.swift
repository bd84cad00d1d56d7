import Models
import PlanFormat
import Sensitivity

extension Workbench {
    /// Items of the data that the curvatures of `fisher` are measured on. Random changes lose about the same everywhere: 30 items order
    /// the cells as 100 do.
    public static var curvatureItems: Int { 32 }

    /// A sensitivity table by a proxy: only full precision is measured.
    ///
    /// - Parameter progress: called with the number of steps done and their total.
    public func proxyTable(
        _ signal: ProxySignal, candidates: [Scheme], progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> SensitivityTable {
        let few = Array(data.examples.prefix(Self.curvatureItems))
        let small = Measurer(
            encodings: measurer.encodings,
            evaluator: try Evaluator(reference: network, examples: few, threads: options.task.threads))
        let calibration = try Calibration(
            network, text, fit: options.fit, gathersMoments: true, threads: options.task.threads)
        let sweep = ProxySweep(signal, small, calibration: calibration, candidates: candidates)
        let cells = try sweep.run { progress($0, sweep.steps) }
        var table = try table(candidates: candidates, cells: cells)
        table.proxy = signal
        return table
    }
}
