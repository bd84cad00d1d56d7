import BitplanReporting
import BitplanWorkflows

extension CostEstimate {
    /// The estimate as people read it.
    func text(threads: Int) -> String {
        let parts = cpuSeconds.sorted { $0.key < $1.key }.map { "\($0.key) \(fixed($0.value, 1))" }
        return """
            \(grouped(cells)) measurements at most on \(grouped(items)) items, \(grouped(keptCells)) of them kept in the store
            time: about \(fixed(seconds, 0)) s on \(threads) free cores
            CPU seconds: \(parts.joined(separator: ", ")); one evaluation \(fixed(evaluationCPUSeconds, 2))
            peak memory: about \(fixed(Double(peakMemoryBytes) / 1e6, 0)) MB
            """
    }
}
