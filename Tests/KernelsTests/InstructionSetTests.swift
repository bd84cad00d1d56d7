import BitplanKernels
import Testing

@Suite("Choice of instructions")
struct InstructionSetTests {
    @Test("a name chooses a set that the machine has; no name the widest")
    func names() throws {
        #expect(try InstructionSet.named("portable") == .portable)
        for set in InstructionSet.available { #expect(try InstructionSet.named(set.name) == set) }
        #expect(try InstructionSet.named(nil) >= .best)
        #expect(InstructionSet.available.last == .best)
        #expect(
            InstructionSet.allCases.map(\.name)
                == ["portable", "avx2", "avx512", "amx", "neon", "neondot", "neoni8mm"])
    }

    @Test("other names and other machines' are refused with one clear line", arguments: ["", "AVX2", "sse"])
    func refusals(name: String) throws {
        let widest = try InstructionSet.named(nil)
        let family: [InstructionSet] =
            widest >= .neon ? [.portable, .neon, .neonDot, .neonI8MM] : [.portable, .avx2, .avx512, .amx]
        let sets = family.filter { $0 <= widest }
        let names = sets.map(\.name).joined(separator: ", ")
        let line = "environment variable BITPLAN_ISA: expected one of \(names)"
        #expect { try InstructionSet.named(name) } throws: { "\($0)" == "\(line), got '\(name)'" }
        for set in InstructionSet.allCases where !sets.contains(set) {
            #expect { try InstructionSet.named(set.name) } throws: {
                "\($0)" == "\(line), got '\(set.name)', which this machine does not have"
            }
        }
    }
}
