import CBitplanKernels
import PlanFormat

/// The search that encoders of trellis codes run: the best path of a sequence.
package enum TrellisPath {
    /// The most weights of a sequence.
    package static let longest = Int(BP_TRELLIS_ROWS)

    /// Writes the windows of the path that has about the least `sum_t (targets[t] - factors[t]
    /// table[s_t])^2`; it bites its tail, so the first windows take their missing bits from the last symbols.
    ///
    /// The same windows on every machine.
    /// - Shapes: `table` (256); `targets`, `factors` and `windows` (`count`), at most `longest`.
    /// - Complexity: O(256 count).
    /// - Source: Viterbi 1967; the closing bits from a run over the weights around the seam: Tseng et al.
    ///   2024 (QTIP), section 3.2, where the run is over all.
    @inline(__always)
    package static func find(
        bits: Int, table: UnsafePointer<Float>, targets: UnsafePointer<Float>, factors: UnsafePointer<Float>,
        count: Int, windows: UnsafeMutablePointer<UInt8>, instructions: InstructionSet = .best
    ) {
        precondition((1...4).contains(bits) && count <= longest, "\(count) weights of \(bits) bits")
        bp_trellis_path(instructions.code, bits, table, targets, factors, count, windows)
    }
}
