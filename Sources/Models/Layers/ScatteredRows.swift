import BitplanKernels
import BitplanTensors

extension Matrix {
    /// Adds row t of another matrix to row `places[t]`, in the order of t.
    package mutating func add(_ other: Matrix, toRows places: [Int]) {
        precondition(columns == other.columns && places.count == other.rows, "shapes differ")
        let columns = columns
        storage.withUnsafeMutableBufferPointer { own in
            other.storage.withUnsafeBufferPointer { other in
                guard let own = own.baseAddress, let other = other.baseAddress else { return }
                for (row, place) in places.enumerated() {
                    BitplanKernels.add(other + row * columns, to: own + place * columns, count: columns)
                }
            }
        }
    }

    /// A matrix of `count` rows with these rows at `places`, zeros elsewhere: the way back of `gathering`.
    func scattered(to places: some Collection<Int>, of count: Int) -> Matrix {
        var result = Matrix(rows: count, columns: columns)
        result.add(self, toRows: Array(places))
        return result
    }
}
