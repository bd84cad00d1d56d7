import CBitplanKernels
import PlanFormat

/// The search that encoders of trellis codes run: the best path of a sequence.
package enum TrellisPath {
    /// The most weights of a sequence.
    package static let longest = Int(BP_TRELLIS_ROWS)

    /// Writes the windows of the path that has about the least `sum_t (targets[t] - factors[t]
    /// table[s_t])^2`, two successive weights having `pairBits` bits; it bites its tail, so the first windows
    /// take their missing bits from the last symbols.
    ///
    /// The same windows on every machine.
    /// - Shapes: `table` (256); `targets`, `factors` and `windows` (`count`), at most `longest`.
    /// - Complexity: O(256 count).
    /// - Source: Viterbi 1967; the closing bits from a run over the weights around the seam: Tseng et al.
    ///   2024 (QTIP), section 3.2, where the run is over all.
    @inline(__always)
    package static func find(
        pairBits: Int, table: UnsafePointer<Float>, targets: UnsafePointer<Float>,
        factors: UnsafePointer<Float>,
        count: Int, windows: UnsafeMutablePointer<UInt8>, instructions: InstructionSet = .best
    ) {
        precondition(
            (2...8).contains(pairBits) && count <= longest, "\(count) weights, \(pairBits) bits a pair")
        bp_trellis_path(instructions.code, pairBits, table, targets, factors, count, windows)
    }

    /// Numbers of room that a coupled search takes.
    package static func room(stride: Int) -> Int { 256 * stride }

    /// The same for the least `sum_t importance[t] (e_t + sum_{i<t} coupling[i][t] e_i)^2`, e_t being
    /// `targets[t] - factors[t] table[s_t]`: every path that is still in the search carries its own errors.
    ///
    /// - Shapes: `importance` (`count`); `coupling` (`count`, `stride`), `stride` a multiple of 16, zeros
    ///   behind the last; `room` (`room(stride:)`).
    /// - Complexity: O((256 + 2^(7 - pairBits / 2) count) count).
    /// - Source: Tseng et al. 2025 (YAQA) for the form; the search over survivors is that of decision
    ///   feedback (Duel-Hallen and Heegard 1989).
    @inline(__always)
    package static func findCoupled(
        pairBits: Int, table: UnsafePointer<Float>, targets: UnsafePointer<Float>,
        factors: UnsafePointer<Float>,
        importance: UnsafePointer<Float>, coupling: UnsafePointer<Float>, stride: Int, count: Int,
        room: UnsafeMutablePointer<Float>, windows: UnsafeMutablePointer<UInt8>,
        instructions: InstructionSet = .best
    ) {
        precondition(
            (2...8).contains(pairBits) && count <= longest, "\(count) weights, \(pairBits) bits a pair")
        precondition(stride % 16 == 0 && stride >= count, "rows of \(stride) numbers for \(count) weights")
        bp_trellis_coupled_path(
            instructions.code, pairBits, table, targets, factors, importance, coupling, stride, count, room,
            windows)
    }
}
