import BitplanModels
import BitplanTensors

/// What the full-precision network makes of the items: the states that its logits are made of, which take a
/// fraction of the logits' memory. Those of as many items as memory allows are kept for the next pass.
struct TeacherOutputs<Net: Network> {
    private let teacher: Net
    private let examples: [Net.Example]
    private var kept: [Int: Matrix] = [:]
    private var bytesLeft: Int

    init(_ teacher: Net, _ examples: [Net.Example], limit: Int = 1 << 30) {
        self.teacher = teacher
        self.examples = examples
        bytesLeft = limit
    }

    /// The outputs for the items of each part.
    mutating func outputs(_ parts: [[Int]], threads: Int) throws -> [Matrix] {
        let (teacher, examples) = (teacher, examples)
        let known = kept
        let made = try concurrentMap(count: parts.count, threads: threads) { part in
            let missing = parts[part].filter { known[$0] == nil }
            guard !missing.isEmpty else { return [Int: Matrix]() }
            let items = missing.map { examples[$0] }
            let outputs = teacher.outputs(teacher.state(items))
            var byItem: [Int: Matrix] = [:]
            var row = 0
            for (index, item) in zip(missing, items) {
                let count = teacher.targets(item).count
                byItem[index] = outputs.slice(rows: row..<row + count)
                row += count
            }
            return byItem
        }
        for (item, outputs) in made.joined() where kept[item] == nil {
            let size = 4 * outputs.storage.count
            guard size <= bytesLeft else { continue }
            bytesLeft -= size
            kept[item] = outputs
        }
        return zip(parts, made).map { part, new in
            let matrices = part.map { known[$0] ?? new[$0] ?? Matrix(rows: 0, columns: 0) }
            return Matrix(
                rows: matrices.reduce(0) { $0 + $1.rows }, columns: matrices.first?.columns ?? 0,
                storage: matrices.flatMap(\.storage))
        }
    }
}
