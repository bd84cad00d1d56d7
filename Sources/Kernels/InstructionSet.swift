import CBitplanKernels
import Foundation

/// The instructions that a kernel may use.
///
/// Operators take the best set of the machine, or the one that the environment names; tests and benchmarks
/// name one to compare the builds of a kernel.
package enum InstructionSet: Int, Sendable, CaseIterable, Comparable, CustomStringConvertible {
    /// Vector code without intrinsics, as the compiler makes it for the machine's base.
    case portable = 0
    /// AVX2, FMA and F16C.
    case avx2 = 1
    /// AVX-512 with VNNI, VBMI and VPOPCNTDQ.
    case avx512 = 2
    /// The same with GFNI and AMX tiles of 8-bit integers, which binary codes use for batches.
    case amx = 3
    /// 64-bit ARM: the portable code, which becomes NEON, and intrinsics for products of codes.
    case neon = 4
    /// The same, and dot products of bytes.
    case neonDot = 5
    /// The same, and products of matrices of 2 x 8 bytes.
    case neonI8MM = 6

    /// The set that operators take: the widest of the machine, or the narrower one that `BITPLAN_ISA` names,
    /// so that a machine with more can be measured as one with less.
    ///
    /// A name that `checkEnvironment` refuses changes nothing.
    package static let best =
        (try? named(ProcessInfo.processInfo.environment[environmentVariable])) ?? widest

    /// The sets that operators can take, narrowest first.
    package static var available: [InstructionSet] { upTo(best) }

    /// Checks what the environment asks for: programs call it before they work.
    ///
    /// - Throws: `InstructionSetError`.
    package static func checkEnvironment() throws(InstructionSetError) {
        _ = try named(ProcessInfo.processInfo.environment[environmentVariable])
    }

    /// The set of this name (`portable`, `avx2`, `avx512`, `amx`, `neon`, `neondot` or `neoni8mm`); without a
    /// name the widest.
    ///
    /// - Throws: `InstructionSetError` where there is no such set or the machine lacks it.
    package static func named(_ name: String?) throws(InstructionSetError) -> InstructionSet {
        guard let name else { return widest }
        let sets = upTo(widest)
        guard let set = sets.first(where: { $0.name == name }) else {
            throw InstructionSetError(
                name: name, expected: sets.map(\.name), exists: allCases.contains { $0.name == name })
        }
        return set
    }

    static let environmentVariable = "BITPLAN_ISA"

    /// The widest set of the machine.
    private static let widest = InstructionSet(rawValue: Int(bp_best_isa().rawValue)) ?? .portable

    private static func upTo(_ set: InstructionSet) -> [InstructionSet] {
        set >= .neon
            ? [.portable] + allCases.filter { $0 >= .neon && $0 <= set } : allCases.filter { $0 <= set }
    }

    /// The description without capitals and hyphens, as the environment spells it.
    package var name: String { description.lowercased().filter { $0 != "-" } }

    /// The set's name, as benchmarks print it.
    package var description: String {
        switch self {
        case .portable: "portable"
        case .avx2: "AVX2"
        case .avx512: "AVX-512"
        case .amx: "AMX"
        case .neon: "NEON"
        case .neonDot: "NEON-dot"
        case .neonI8MM: "NEON-I8MM"
        }
    }

    /// Narrower sets come first.
    package static func < (left: InstructionSet, right: InstructionSet) -> Bool {
        left.rawValue < right.rawValue
    }

    var code: bp_isa { bp_isa(rawValue: UInt32(rawValue)) }
}

/// The environment names an instruction set that no kernel can use here.
package struct InstructionSetError: Error, Equatable, CustomStringConvertible {
    let name: String
    /// Names of the sets that the machine has.
    let expected: [String]
    /// Whether there is such a set, on other machines.
    let exists: Bool

    /// One line: what, where, expected, got.
    package var description: String {
        "environment variable \(InstructionSet.environmentVariable): expected one of "
            + "\(expected.joined(separator: ", ")), got '\(name)'"
            + (exists ? ", which this machine does not have" : "")
    }
}
