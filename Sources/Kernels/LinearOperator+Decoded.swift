import CBitplanKernels

extension LinearOperator {
    /// `y = x W^T` by decoding 64 rows at a time and multiplying them as FP32 weights: for layouts without a
    /// kernel.
    func multiplyDecoded(
        _ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>,
        instructions: InstructionSet
    ) {
        let height = 64
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * height * columns + height * tokens) {
            scratch in
            guard let decoded = scratch.baseAddress else { return }
            let panel = decoded + height * columns
            let result = panel + height * columns
            for start in stride(from: 0, to: rows, by: height) {
                let count = min(height, rows - start)
                for r in 0..<count { copyRow(start + r, into: decoded + r * columns) }
                bp_panels_pack(decoded, count, columns, panel)
                bp_panels_multiply(instructions.code, panel, count, columns, x, tokens, result)
                for t in 0..<tokens {
                    (y + t * rows + start).update(from: result + t * count, count: count)
                }
            }
        }
    }
}
