import BitplanKernels
import BitplanLatency
import BitplanTensors
import PlanFormat

/// A kernel gave another answer than its twin: it is not timed.
struct CheckFailure: Error, CustomStringConvertible {
    let description: String
}

/// Compares the machine's best build of a kernel with the portable twin, and with the dense product
/// of its rows.
///
/// Integer sums must agree bit for bit, FP32 sums within 1e-5.
/// - Throws: `CheckFailure`.
func check(_ kernel: BenchKernel, _ packed: PackedMatrix, tokens: Int) throws {
    let x = RandomWeights.activations(tokens: tokens, columns: packed.columns, seed: 5)
    let best = try kernel.make(packed)
    let twin = try kernel.make(packed, instructions: .portable)
    let (y, portable) = (best(x), twin(x))
    let activations = packed.scheme.family.activations
    if activations != .fp32 {
        guard y == portable else {
            throw CheckFailure(description: "\(packed.scheme): \(InstructionSet.best) differs from its twin")
        }
    }
    var (error, norm) = (0.0, 0.0)
    var row = [Float](repeating: 0, count: packed.columns)
    for r in stride(from: 0, to: packed.rows, by: 97) {
        best.copyRow(r, into: &row)
        for t in 0..<tokens {
            let sum = row.indices.reduce(0.0) { $0 + Double(row[$1]) * Double(x[t, $1]) }
            let reference = activations.quantizedBits != nil ? Double(portable[t, r]) : sum
            error += (Double(y[t, r]) - reference) * (Double(y[t, r]) - reference)
            norm += reference * reference
        }
    }
    guard (error / norm).squareRoot() < kernel.tolerance else {
        throw CheckFailure(description: "\(packed.scheme): relative error \((error / norm).squareRoot())")
    }
}
