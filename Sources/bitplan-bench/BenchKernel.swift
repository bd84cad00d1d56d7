import BitplanKernels
import BitplanLatency
import BitplanTensors
import PlanFormat

/// A kernel as the benchmark names it: a scheme, for trellis codes perhaps with `@8` behind it for
/// activations of 8 bits in place of 16.
struct BenchKernel {
    let scheme: Scheme
    /// Whether activations are rounded to 8 bits where the scheme does not ask for it.
    let roundsToBytes: Bool

    /// - Throws: `CheckFailure` where the name is no kernel's.
    init(_ name: String) throws {
        roundsToBytes = name.hasSuffix("@8")
        guard let scheme = Scheme(roundsToBytes ? String(name.dropLast(2)) : name) else {
            throw CheckFailure(description: "no kernel is called '\(name)'")
        }
        self.scheme = scheme
    }

    /// The operator over `packed`.
    func make(
        _ packed: PackedMatrix, instructions: InstructionSet = .best
    ) throws(PackedMatrixError) -> any LinearOperator {
        guard roundsToBytes else { return try LinearOperators.make(packed, instructions: instructions) }
        return try TrellisCodeMatrix(packed, activationBytes: 1, instructions: instructions)
    }

    /// So many matrices of random codes.
    func packed(rows: Int, columns: Int, count: Int) -> [PackedMatrix] {
        (0..<count).map { RandomWeights.packed(scheme, rows: rows, columns: columns, seed: UInt64($0)) }
    }

    /// The relative error of a product that rounding its activations leaves, or FP32 sums.
    var tolerance: Double {
        if roundsToBytes { return 2e-2 }
        switch scheme.family.activations {
        case .rounded(let bits) where bits < 16: return 5 / Double(1 << bits)
        case .rounded: return 1e-4
        case .fp32, .quantized: return 1e-5
        }
    }
}
