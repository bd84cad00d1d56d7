import BitplanKernels

/// An operator whose product does nothing but fill its outputs: a network of such takes the time of
/// everything but products.
struct FreeOperator: LinearOperator {
    let rows: Int
    let columns: Int

    var residentBytes: Int { 0 }

    func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        y.update(repeating: 0.01, count: tokens * rows)
    }

    func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        for column in 0..<columns { destination[column] = Float(column & 15) - 7.5 }
    }
}
