import BitplanTensors
import Testing

@Suite struct HadamardRotationTests {
    /// The matrix R, column after column.
    private func matrix(_ rotation: HadamardRotation) -> Matrix {
        let size = rotation.columns
        var identity = Matrix(rows: size, columns: size)
        for index in 0..<size { identity[index, index] = 1 }
        return rotation.rotating(identity).transposed()
    }

    /// R has blocks of Hadamard matrices, whose signs are those of the number of common bits, columns of the
    /// blocks with a sign of their own; nothing else.
    @Test(arguments: [2, 6, 8, 20, 64, 96, 256])
    func blocksOfHadamardMatrices(_ columns: Int) throws {
        let rotation = try #require(HadamardRotation(columns: columns))
        let block = rotation.block
        #expect(columns % block == 0 && columns / block % 2 == 1 && block.nonzeroBitCount == 1)
        let matrix = matrix(rotation)
        let unit = 1 / Float(block).squareRoot()
        for row in 0..<columns {
            for column in 0..<columns {
                guard row / block == column / block else {
                    #expect(matrix[row, column] == 0)
                    continue
                }
                let sign: Float = (row & column & (block - 1)).nonzeroBitCount % 2 == 0 ? 1 : -1
                let first = matrix[column / block * block, column]
                #expect(abs(abs(first) - unit) < 1e-6 && abs(matrix[row, column] - sign * first) < 1e-6)
            }
        }
    }

    @Test func turnsBackAndKeepsLengths() throws {
        var generator = SeededGenerator(seed: 3)
        for columns in [2, 12, 128, 1536] {
            let rotation = try #require(HadamardRotation(columns: columns))
            let vectors = Matrix(
                rows: 3, columns: columns, storage: (0..<3 * columns).map { _ in Float(generator.normal()) })
            let rotated = rotation.rotating(vectors)
            #expect(rotated != vectors)
            let back = rotation.rotatingBack(rotated)
            for (a, b) in zip(back.storage, vectors.storage) { #expect(abs(a - b) < 1e-5) }
            for row in 0..<3 {
                let squares = [vectors, rotated].map { $0[row: row].reduce(0) { $0 + $1 * $1 } }
                #expect(abs(squares[0] - squares[1]) < 1e-4 * squares[0])
            }
        }
    }

    /// A packed model was rotated by the signs of the release that packed it.
    @Test func signsStayWhatTheyAre() throws {
        let rotation = try #require(HadamardRotation(columns: 32))
        let signs = matrix(rotation)[row: 0].reduce(0) { $0 << 1 | ($1 < 0 ? 1 : 0) }
        #expect(signs == 0x0E5C_F157)
    }

    @Test(arguments: [0, 1, 7, 65])
    func oddColumnsHaveNone(_ columns: Int) { #expect(HadamardRotation(columns: columns) == nil) }
}
