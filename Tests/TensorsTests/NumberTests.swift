import BitplanTensors
import Testing

/// Seeded numbers and matrices.
@Suite struct NumberTests {
    /// The first numbers of SplitMix64 from two seeds, as its reference implementation (Vigna, splitmix64.c)
    /// gives them.
    @Test func generatorIsSplitMix64() {
        var generator = SeededGenerator(seed: 1_234_567)
        #expect(
            (0..<5).map { _ in generator.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
        var zero = SeededGenerator(seed: 0)
        #expect(zero.next() == 0xE220_A839_7B1D_CDAF)
    }

    @Test func distributions() {
        var generator = SeededGenerator(seed: 3)
        var counts = [Int](repeating: 0, count: 7)
        var (sum, squares) = (0.0, 0.0)
        for _ in 0..<70_000 {
            counts[generator.index(below: 7)] += 1
            let normal = generator.normal()
            sum += normal
            squares += normal * normal
            let uniform = generator.uniform()
            if !(0..<1).contains(uniform) { Issue.record("\(uniform)") }
        }
        #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })
        #expect(abs(sum / 70_000) < 0.02 && abs(squares / 70_000 - 1) < 0.03)
    }

    @Test func matrices() {
        var matrix = Matrix(rows: 3, columns: 2, storage: [1, 2, 3, 4, 5, 6])
        #expect(matrix[1, 1] == 4 && Array(matrix[row: 2]) == [5, 6])
        #expect(matrix.transposed().storage == [1, 3, 5, 2, 4, 6])
        #expect(matrix.transposed().transposed() == matrix)
        #expect(matrix.slice(rows: 1..<3).storage == [3, 4, 5, 6])
        #expect(matrix.slice(rows: 2..<2).storage == [] && matrix.slice(rows: 0..<3) == matrix)
        #expect(matrix.gathering(rows: [2, 0, 2]).storage == [5, 6, 1, 2, 5, 6])
        matrix.add(Matrix(rows: 3, columns: 2, storage: [1, 1, 1, 0, 0, 0]))
        #expect(matrix.storage == [2, 3, 4, 4, 5, 6])
        #expect(Matrix(rows: 0, columns: 4).transposed() == Matrix(rows: 4, columns: 0))
    }
}
