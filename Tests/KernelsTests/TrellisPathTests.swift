import BitplanKernels
import BitplanQuantizers
import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// The search for paths against another search, and its builds against each other.
@Suite struct TrellisPathTests {
    /// A sequence, its best path as `Scripts/goldens/trellis.py` finds it, and what the path stands for.
    struct Golden: Decodable {
        let pairBits: Int
        let targets: [Float]
        let factors: [Float]
        let cost: Double
        let codes: [UInt8]
        let levels: [Float]
    }

    private func goldens() throws -> [Golden] {
        let file = TestFiles.root.appending(path: "Tests/KernelsTests/Goldens/trellis.json")
        return try JSONDecoder().decode([Golden].self, from: Data(contentsOf: file))
    }

    private func windows(
        pairBits: Int, targets: [Float], factors: [Float], _ instructions: InstructionSet = .best
    ) -> [UInt8] {
        var windows = [UInt8](repeating: 0xAA, count: targets.count)
        TrellisPath.find(
            pairBits: pairBits, table: TrellisTable.pairBits(pairBits).values, targets: targets,
            factors: factors,
            count: targets.count, windows: &windows, instructions: instructions)
        return windows
    }

    private func cost(_ windows: [UInt8], pairBits: Int, targets: [Float], factors: [Float]) -> Double {
        let levels = TrellisTable.pairBits(pairBits).values
        return windows.indices.reduce(0) {
            let rest = Double(targets[$1]) - Double(factors[$1]) * Double(levels[Int(windows[$1])])
            return $0 + rest * rest
        }
    }

    /// The path of ours costs no more than that of a run over the turned sequence, but for the few sequences
    /// whose closing bits depend on weights far from the seam: of half steps such a one
    /// costs a little more.
    @Test func costsAsMuchAsGoldens() throws {
        let goldens = try goldens()
        #expect(goldens.count == 49)
        // Of whole bits, and of half steps.
        var (mine, theirs) = ([0.0, 0.0], [0.0, 0.0])
        for golden in goldens {
            let path = windows(pairBits: golden.pairBits, targets: golden.targets, factors: golden.factors)
            let cost = cost(path, pairBits: golden.pairBits, targets: golden.targets, factors: golden.factors)
            #expect(
                cost <= golden.cost * (1 + (golden.pairBits % 2 == 0 ? 1e-5 : 2e-3)) + 1e-6,
                "\(golden.pairBits) bits a pair, \(golden.targets.count) weights")
            mine[golden.pairBits % 2] += cost
            theirs[golden.pairBits % 2] += golden.cost
        }
        #expect(mine[0] <= theirs[0] * (1 + 1e-5))
        #expect(mine[1] <= theirs[1] * (1 + 1e-4))
    }

    /// Streams that others packed stand for the levels that others read from them.
    @Test func streamsStandForGoldens() throws {
        for golden in try goldens() {
            let scheme = Scheme.trellisCodes(pairBits: golden.pairBits)
            let rows = golden.levels.count
            let packed = PackedMatrix(
                scheme: scheme, rows: rows, columns: 1,
                parts: [
                    "codes": PackedTensor(
                        type: .uint8, shape: [golden.codes.count, 1], bytes: Data(golden.codes)),
                    "scales": PackedTensor(
                        shape: [rows], floats: [Float](repeating: 1, count: rows), as: .fp16),
                ])
            let decoded = try Quantizer.decode(packed)
            let matrix = try LinearOperators.make(packed).decoded()
            for row in 0..<rows {
                #expect(abs(decoded[row, 0] - golden.levels[row]) < 2e-5)
                #expect(abs(matrix[row, 0] - golden.levels[row]) < 2e-5)
            }
        }
    }

    /// Every build gives the same windows, ties, rows without scale and rows of very different size included;
    /// and windows follow one another around the seam.
    @Test(arguments: 2...8)
    func buildsAgree(_ pairBits: Int) {
        var generator = SeededGenerator(seed: UInt64(pairBits))
        for count in [1, 2, 3, 5, 8, 15, 16, 17, 31, 64, 100, 255, 256] {
            for kind in 0..<4 {
                let targets = (0..<count).map { row -> Float in
                    switch kind {
                    case 0: Float(generator.normal())
                    case 1: 0
                    case 2: Float(generator.normal()) * (row % 3 == 0 ? 1e4 : 1e-4)
                    default: 0.5
                    }
                }
                let factors = (0..<count).map { row -> Float in
                    switch kind {
                    case 1: 0
                    case 2: row % 3 == 0 ? 1e4 : 1e-4
                    default: 1
                    }
                }
                let expected = windows(pairBits: pairBits, targets: targets, factors: factors, .portable)
                for instructions in InstructionSet.available {
                    #expect(
                        windows(pairBits: pairBits, targets: targets, factors: factors, instructions)
                            == expected,
                        "\(instructions), \(count) weights, kind \(kind)")
                }
                var window = expected[count - 1]
                for row in 0..<count {
                    let bits = UInt8(pairBits + row % 2) / 2
                    window = window << bits | expected[row] & (1 << bits - 1)
                    #expect(window == expected[row], "\(count) weights, row \(row)")
                }
            }
        }
    }

    private struct Coupling {
        let importance: [Float]
        /// (count, stride).
        let coupling: [Float]
        let stride: Int

        /// Rows that meet the more the nearer they are; not at all where `isEmpty`.
        init(count: Int, seed: UInt64, isEmpty: Bool = false) {
            var generator = SeededGenerator(seed: seed)
            stride = (count + 15) / 16 * 16
            importance = (0..<count).map { _ in isEmpty ? 1 : Float(0.2 + generator.uniform()) }
            var coupling = [Float](repeating: 0, count: count * stride)
            if !isEmpty {
                for i in 0..<count {
                    for j in i + 1..<max(count, i + 1) {
                        coupling[i * stride + j] = Float(pow(0.7, Double(j - i)))
                    }
                }
            }
            self.coupling = coupling
        }

        func cost(_ windows: [UInt8], pairBits: Int, targets: [Float], factors: [Float]) -> Double {
            let levels = TrellisTable.pairBits(pairBits).values
            let errors = windows.indices.map {
                Double(targets[$0]) - Double(factors[$0]) * Double(levels[Int(windows[$0])])
            }
            return errors.indices.reduce(0) { sum, j in
                let rest = (0..<j).reduce(errors[j]) { $0 + Double(coupling[$1 * stride + j]) * errors[$1] }
                return sum + Double(importance[j]) * rest * rest
            }
        }

        func windows(
            pairBits: Int, targets: [Float], factors: [Float], _ instructions: InstructionSet = .best
        ) -> [UInt8] {
            var windows = [UInt8](repeating: 0xAA, count: targets.count)
            var room = [Float](repeating: .nan, count: TrellisPath.room(stride: stride))
            TrellisPath.findCoupled(
                pairBits: pairBits, table: TrellisTable.pairBits(pairBits).values, targets: targets,
                factors: factors,
                importance: importance, coupling: coupling, stride: stride, count: targets.count,
                room: &room, windows: &windows, instructions: instructions)
            return windows
        }
    }

    /// Every build gives the same windows under a coupling; without one, those of the plain search.
    @Test(arguments: 2...8)
    func coupledBuildsAgree(_ pairBits: Int) {
        var generator = SeededGenerator(seed: UInt64(40 + pairBits))
        for count in [1, 2, 5, 16, 17, 33, 100, 255, 256] {
            let targets = (0..<count).map { _ in Float(generator.normal()) }
            let factors = (0..<count).map { _ in Float(0.5 + generator.uniform()) }
            let coupling = Coupling(count: count, seed: UInt64(count))
            let expected = coupling.windows(pairBits: pairBits, targets: targets, factors: factors, .portable)
            for instructions in InstructionSet.available {
                #expect(
                    coupling.windows(pairBits: pairBits, targets: targets, factors: factors, instructions)
                        == expected, "\(instructions), \(count) weights")
            }
            let plain = windows(pairBits: pairBits, targets: targets, factors: factors)
            #expect(
                Coupling(count: count, seed: 1, isEmpty: true)
                    .windows(pairBits: pairBits, targets: targets, factors: factors) == plain,
                "\(count) weights")
            // Not the best of all, which no search over survivors finds, but better than not looking.
            if count >= 64 {
                #expect(
                    coupling.cost(expected, pairBits: pairBits, targets: targets, factors: factors)
                        < coupling.cost(plain, pairBits: pairBits, targets: targets, factors: factors),
                    "\(count) weights")
            }
        }
    }

    /// No stream of a short sequence is better than the one found.
    @Test(arguments: [
        (2, 8), (2, 3), (3, 1), (3, 5), (4, 4), (5, 3), (5, 4), (6, 3), (6, 1), (7, 2), (8, 2),
    ])
    func shortSequencesAreBest(_ pairBits: Int, _ count: Int) throws {
        var generator = SeededGenerator(seed: 5)
        let targets = (0..<count).map { _ in Float(generator.normal()) }
        let factors = (0..<count).map { _ in Float(0.5 + generator.uniform()) }
        let found = cost(
            windows(pairBits: pairBits, targets: targets, factors: factors), pairBits: pairBits,
            targets: targets,
            factors: factors)
        let length = pairBits * count / 2
        for stream in 0..<1 << length {
            // The bits from the window's first on, behind the stream's last one the first again.
            let path = (1...count).map { row in
                (-8..<0).reduce(UInt8(0)) { window, place in
                    let bit = (pairBits * row / 2 + place + 8 * length) % length
                    return window << 1 | UInt8(truncatingIfNeeded: stream >> (length - 1 - bit)) & 1
                }
            }
            #expect(cost(path, pairBits: pairBits, targets: targets, factors: factors) >= found * (1 - 1e-6))
        }
    }
}
