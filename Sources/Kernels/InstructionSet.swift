import CBitplanKernels

/// The instructions that a kernel may use.
///
/// Operators take the best set of the machine; tests and benchmarks name one to compare the builds of a
/// kernel.
package enum InstructionSet: Int, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    /// Vector code without intrinsics, as the compiler makes it for the machine's base.
    case portable = 0
    /// AVX2, FMA and F16C.
    case avx2 = 1
    /// AVX-512 with VNNI, VBMI and VPOPCNTDQ.
    case avx512 = 2
    /// The same with GFNI and AMX tiles of 8-bit integers, which binary codes use for batches.
    case amx = 3
    /// 64-bit ARM: the portable code, which becomes NEON, and intrinsics for table look-ups.
    case neon = 4

    /// The widest set that this machine has.
    package static let best = InstructionSet(rawValue: Int(bp_best_isa().rawValue)) ?? .portable

    /// The sets that this machine can run, narrowest first.
    package static var available: [InstructionSet] {
        best == .neon ? [.portable, .neon] : allCases.filter { $0 <= best }
    }

    /// The set's name, as benchmarks print it.
    package var description: String {
        switch self {
        case .portable: "portable"
        case .avx2: "AVX2"
        case .avx512: "AVX-512"
        case .amx: "AMX"
        case .neon: "NEON"
        }
    }

    /// Narrower sets come first.
    package static func < (left: InstructionSet, right: InstructionSet) -> Bool {
        left.rawValue < right.rawValue
    }

    var code: bp_isa { bp_isa(rawValue: UInt32(rawValue)) }
}
