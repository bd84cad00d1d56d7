import BitplanTensors

/// How an operator wants its activations before the product: rounded, and perhaps spread over tables.
///
/// Operators with equal preparations can share the result. That is why Q, K and V are multiplied together:
/// the tables of one input are made once.
package struct Preparation: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// Tables of signed sums for sign planes, or tiles of bytes; `group` columns share alphas.
        case signTables(group: Int, instructions: InstructionSet)
        /// The same behind BitNet's normalisation and 8-bit rounding.
        case bitLinearTables(instructions: InstructionSet)
        /// Integers of 16 or 8 bits; their order in memory differs by instruction set.
        case integers(bytes: Int, group: Int, instructions: InstructionSet)
        /// Integers of up to 16 bits for 4-bit codes into levels, in the order of their nibbles.
        case levelIntegers(block: Int, instructions: InstructionSet)
        /// Integers of 16 or 8 bits behind a rotation and scales of columns; their order in memory differs by
        /// instruction set.
        case trellisIntegers(
            bytes: Int, rotated: Bool, columnScales: [Float], instructions: InstructionSet)
        /// One bit a number.
        case signs
    }

    let kind: Kind
    let columns: Int
}

/// An operator whose product starts with a preparation of the activations.
package protocol PreparingOperator: LinearOperator {
    /// What the operator needs; operators with equal values can share it.
    var preparation: Preparation { get }

    /// Bytes of the prepared activations of so many tokens.
    func preparedBytes(tokens: Int) -> Int

    /// Writes the prepared form of `x` (tokens, columns) to `prepared`, which lies on 64 bytes.
    func prepare(_ x: UnsafePointer<Float>, tokens: Int, into prepared: UnsafeMutableRawPointer)

    /// As `multiply(_:tokens:into:)`, from activations that were prepared for as many tokens.
    func multiply(prepared: UnsafeRawPointer, tokens: Int, into y: UnsafeMutablePointer<Float>)
}

extension PreparingOperator {
    /// This operator.
    package var preparing: (any PreparingOperator)? { self }

    /// `y = x W^T`: prepares, then multiplies.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        forEachBatch(x, tokens: tokens) { prepared, batch in
            multiply(prepared: prepared, tokens: batch.count, into: y + batch.lowerBound * rows)
        }
    }

    /// Prepares as many tokens at a time as stay in a core's own cache, since every block of rows goes
    /// through all of them.
    func forEachBatch(
        _ x: UnsafePointer<Float>, tokens: Int, _ body: (UnsafeRawPointer, Range<Int>) -> Void
    ) {
        let perToken = max(1, preparedBytes(tokens: tokens) / max(1, tokens))
        let limit = max(1, min(tokens, (384 << 10) / perToken))
        let size = max(preparedBytes(tokens: limit), preparedBytes(tokens: tokens % limit), 64)
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 64) { scratch in
            guard let base = scratch.baseAddress else { return }
            for start in stride(from: 0, to: tokens, by: limit) {
                let batch = start..<min(start + limit, tokens)
                prepare(x + start * columns, tokens: batch.count, into: base)
                body(base, batch)
            }
        }
    }
}

/// Multiplies one input with several matrices, preparing it once for those that can share: Q, K and V of an
/// attention.
///
/// - Shapes: `x` (tokens, columns); `outputs[i]` (tokens, operators[i].rows). Results equal those of single
///   products.
package func multiplyTogether(
    _ operators: [any LinearOperator], _ x: UnsafePointer<Float>, tokens: Int,
    into outputs: [UnsafeMutablePointer<Float>]
) {
    precondition(operators.count == outputs.count, "\(operators.count) operators, \(outputs.count) outputs")
    var done = [Bool](repeating: false, count: operators.count)
    for first in operators.indices where !done[first] {
        guard let preparing = operators[first].preparing else {
            operators[first].multiply(x, tokens: tokens, into: outputs[first])
            continue
        }
        var sharing: [(any PreparingOperator, UnsafeMutablePointer<Float>)] = []
        for i in first..<operators.count where !done[i] {
            guard let other = operators[i].preparing, other.preparation == preparing.preparation else {
                continue
            }
            sharing.append((other, outputs[i]))
            done[i] = true
        }
        preparing.forEachBatch(x, tokens: tokens) { prepared, batch in
            for (other, y) in sharing {
                other.multiply(
                    prepared: prepared, tokens: batch.count, into: y + batch.lowerBound * other.rows)
            }
        }
    }
}

/// The products of one input with several matrices, as `multiplyTogether(_:_:tokens:into:)`.
///
/// - Shapes: `x` (tokens, columns) gives (tokens, rows) for each operator.
package func multiplyTogether(_ operators: [any LinearOperator], _ x: Matrix) -> [Matrix] {
    precondition(operators.allSatisfy { $0.columns == x.columns }, "activations have \(x.columns) channels")
    let rows = x.rows
    /// Takes memory for one result after the other, and multiplies when all have theirs.
    func results(_ outputs: [UnsafeMutablePointer<Float>]) -> [[Float]] {
        guard outputs.count < operators.count else {
            x.storage.withUnsafeBufferPointer { x in
                guard let base = x.baseAddress else { return }
                multiplyTogether(operators, base, tokens: rows, into: outputs)
            }
            return []
        }
        var rest: [[Float]] = []
        let size = rows * operators[outputs.count].rows
        let own = [Float](unsafeUninitializedCapacity: max(1, size)) { buffer, count in
            if let base = buffer.baseAddress { rest = results(outputs + [base]) }
            count = size
        }
        return [own] + rest
    }
    return zip(operators, results([])).map { Matrix(rows: x.rows, columns: $0.rows, storage: $1) }
}
