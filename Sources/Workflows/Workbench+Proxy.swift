import BitplanModels
import BitplanSensitivity
import PlanFormat

extension Workbench {
    /// Items of the data that the curvatures of `fisher` are measured on. Random changes lose about the same everywhere: 30 items order
    /// the cells as 100 do.
    package static var curvatureItems: Int { 32 }

    /// A sweep's cells by a proxy.
    ///
    /// - Parameter progress: called with the number of steps done and their total.
    func proxyCells(
        _ signal: ProxySignal, candidates: [Scheme], progress: (Int, Int) -> Void
    ) throws -> Sweep<Family>.Cells {
        let few = Array(data.examples.prefix(Self.curvatureItems))
        let small = Measurer(
            encodings: measurer.encodings,
            evaluator: try Evaluator(reference: network, examples: few, threads: options.task.threads))
        let calibration = try Calibration(
            network, text, fit: options.fit, gathersMoments: true, threads: options.task.threads)
        let sweep = ProxySweep(signal, small, calibration: calibration, candidates: candidates)
        return try sweep.run { progress($0, sweep.steps) }
    }
}
