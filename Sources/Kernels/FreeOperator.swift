/// An operator whose product does nothing but fill its outputs.
///
/// A network of such takes the time of everything but products. In the place of matrices that stand behind
/// what is looked at, it saves their products.
package struct FreeOperator: LinearOperator {
    package let rows: Int
    package let columns: Int

    package var residentBytes: Int { 0 }

    /// An operator in the place of a matrix of (rows, columns).
    package init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
    }

    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        y.update(repeating: 0.01, count: tokens * rows)
    }

    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        for column in 0..<columns { destination[column] = Float(column & 15) - 7.5 }
    }
}
