import BitplanTensors
import Testing

/// Cholesky factors, of large matrices and of small systems.
@Suite struct SymmetricSystemTests {
    /// `X X'` for random X of (size, rank), (size, size): of rank `rank`.
    private func gram(size: Int, rank: Int, seed: UInt64) -> [[Double]] {
        var generator = SeededGenerator(seed: seed)
        let x = (0..<size).map { _ in (0..<rank).map { _ in generator.normal() } }
        return x.map { row in x.map { other in zip(row, other).reduce(0) { $0 + $1.0 * $1.1 } } }
    }

    private func product(_ a: [[Double]], _ x: [Double]) -> [Double] {
        a.map { zip($0, x).reduce(0) { $0 + $1.0 * $1.1 } }
    }

    @Test(arguments: [1, 2, 3, 8, 33, 100])
    func solutionSolves(_ size: Int) {
        let a = gram(size: size, rank: size + 5, seed: UInt64(size))
        var generator = SeededGenerator(seed: 1)
        let expected = (0..<size).map { _ in generator.normal() }
        for (x, y) in zip(solveSymmetric(a, product(a, expected)), expected) { #expect(abs(x - y) < 1e-8) }
        #expect(solveSymmetric([], []).isEmpty)
    }

    /// Where an unknown is superfluous it is 0, and the others solve the system.
    @Test func superfluousUnknowns() {
        var a = gram(size: 4, rank: 9, seed: 3)
        // Unknown 2 is unknown 0 again.
        for index in a.indices { a[index][2] = a[index][0] }
        a[2] = a[0]
        let b = product(a, [1, -2, 0.5, 3])
        let x = solveSymmetric(a, b)
        #expect(x[2] == 0)
        for (left, right) in zip(product(a, x), b) { #expect(abs(left - right) < 1e-9) }
    }

    /// The factor of large matrices against the definition, the same bits for any number of threads; 64
    /// columns are a block.
    @Test(arguments: [1, 5, 63, 64, 65, 200])
    func largeFactors(_ size: Int) {
        let a = gram(size: size, rank: size + 20, seed: UInt64(size))
        var factor = a.flatMap { $0 }
        #expect(Cholesky.factor(&factor, size: size, threads: 1))
        for row in 0..<size {
            for column in 0...row {
                let sum = (0...column).reduce(0.0) {
                    $0 + factor[row * size + $1] * factor[column * size + $1]
                }
                #expect(abs(sum - a[row][column]) < 1e-9 * Double(size), "(\(row), \(column))")
            }
        }
        for threads in [2, 3] {
            var other = a.flatMap { $0 }
            #expect(Cholesky.factor(&other, size: size, threads: threads) && other == factor)
        }
    }

    @Test func indefiniteMatricesHaveNone() {
        var matrix: [Double] = [1, 2, 2, 1]
        #expect(!Cholesky.factor(&matrix, size: 2, threads: 1))
        matrix = [.nan]
        #expect(!Cholesky.factor(&matrix, size: 1, threads: 1))
    }
}
