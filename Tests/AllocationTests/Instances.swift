import BitplanAllocation
import BitplanTensors

/// Draws as Scripts/goldens/allocation.py does: instances are stored by seed, not by their numbers.
extension SeededGenerator {
    init(seed: Int) { self.init(seed: UInt64(seed)) }

    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
}

/// What an instance looks like. Both generators draw in the same order and use only exact operations and
/// plain products.
enum InstanceKind: String, Codable, CaseIterable {
    /// Losses that fall fourfold per bit, with noise; bytes, seconds and joules of real layer shapes.
    case transformer
    /// The same without noise, all items alike.
    case identical
    /// Everything independent and uniform.
    case random
    /// Small whole numbers everywhere: ties, dominated and free options.
    case ties
    /// Whole costs; the loss is what the costs leave, give or take a little.
    case correlated
}

func instance(_ kind: InstanceKind, items: Int, options: Int, budgets: Int, fraction: Double, seed: Int)
    -> AllocationProblem
{
    var random = SeededGenerator(seed: seed)
    // (rows, columns of all matrices, calls): a layer's q, k, v, o; its two FFN matrices.
    let shapes = [
        (2048, 512, 1), (4096, 512, 1), (2048, 512, 20), (3072, 512, 20), (4096, 512, 20), (8000, 512, 20),
    ]
    var noise: [[Double]] = []
    for _ in 0..<(2 * shapes.count) { noise.append((0..<options).map { _ in 0.75 + 0.5 * random.uniform() }) }

    var list: [AllocationProblem.Item] = []
    for item in 0..<items {
        var choices: [AllocationProblem.Option] = []
        let draw = kind == .identical ? 3 : random.below(shapes.count)
        let scale = kind == .identical ? 1.0 : random.uniform()
        for option in 0..<options {
            let loss: Double
            var costs: [Double]
            switch kind {
            case .transformer, .identical:
                let (rows, columns, calls) = shapes[draw]
                let bytes = Double((option + 1) * rows * ((columns + 7) / 8 + 4))
                let times = Double(calls) * bytes
                costs = [
                    bytes, times * 1e-10 * noise[2 * draw][option],
                    times * 1e-9 * noise[2 * draw + 1][option],
                ]
                let exact = scale * scale * 8 * (1 / Double(UInt64(1) << UInt64(2 * (option + 1))))
                loss =
                    kind == .identical
                    ? exact : exact * (0.8 + 0.4 * random.uniform()) + (random.uniform() - 0.5) * 1e-4
            case .random:
                loss = random.uniform()
                costs = [random.uniform(), random.uniform(), random.uniform()]
            case .ties:
                loss = Double(random.below(6))
                costs = [Double(random.below(5)), Double(random.below(5)), Double(random.below(5))]
            case .correlated:
                costs = (0..<3).map { _ in Double(1 + random.below(1000)) }
                loss = 3000 - (costs[0] + costs[1] + costs[2]) + Double(random.below(21)) - 10
            }
            costs.removeLast(3 - budgets)
            choices.append(.init(label: "\(option)", loss: loss, costs: costs))
        }
        list.append(.init(name: "item.\(item)", options: choices))
    }
    let names = ["bytes", "seconds", "joules"]
    let limits = (0..<budgets).map { budget in
        var (least, most) = (0.0, 0.0)
        for item in list {
            least += item.options.map { $0.costs[budget] }.min() ?? 0
            most += item.options.map { $0.costs[budget] }.max() ?? 0
        }
        let limit = least + (most - least) * fraction
        let isWhole = budget == 0 && kind != .random || kind == .ties || kind == .correlated
        return AllocationProblem.Budget(name: names[budget], limit: isWhole ? limit.rounded(.down) : limit)
    }
    return AllocationProblem(items: list, budgets: limits)
}
