import BitplanTensors

/// Second moments of a layer's inputs, as the search for paths uses them: columns are coded in their order,
/// and errors of a block of columns reach all columns behind it by one product of matrices.
struct TrellisFeedback: Sendable {
    /// Columns of a block.
    static let block = 64

    /// H with damping, (columns, columns), in the order of coding.
    let matrix: Matrix
    /// What damping added to its diagonal.
    let damping: Double
    /// Position to column.
    let order: [Int]
    /// By block: what the errors of its columns ask of a column, (columns from the block's first on, columns
    /// of the block): `R_ij / R_jj` for column i of the block and j >= i, else 0.
    let blocks: [Matrix]

    init(_ moments: InputMoments) {
        let columns = moments.columns
        matrix = Matrix(rows: columns, columns: columns, storage: moments.matrix)
        damping = moments.damping
        order = moments.order
        blocks = stride(from: 0, to: columns, by: Self.block).map { start in
            let width = min(Self.block, columns - start)
            var block = Matrix(rows: columns - start, columns: width)
            for row in 0..<block.rows {
                for column in 0..<min(width, row) {
                    block[row, column] = moments.feedback[(start + row) * columns + start + column]
                }
            }
            return block
        }
    }
}
