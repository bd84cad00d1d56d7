import Tensors
import Testing

@Suite struct MatrixTests {
    @Test func transposingTwiceChangesNothing() {
        var generator = SeededGenerator(seed: 1)
        let matrix = Matrix(rows: 5, columns: 3, storage: (0..<15).map { _ in Float(generator.normal()) })
        #expect(matrix.transposed().transposed() == matrix)
        #expect(matrix.transposed()[2, 4] == matrix[4, 2])
    }

    @Test func rowsAreGatheredInTheGivenOrder() {
        let matrix = Matrix(rows: 3, columns: 2, storage: [0, 1, 2, 3, 4, 5])
        #expect(matrix.gathering(rows: [2, 0, 2]).storage == [4, 5, 0, 1, 4, 5])
        #expect(matrix.slice(rows: 1..<3).storage == [2, 3, 4, 5])
    }
}
