import BitplanMeasurements
import BitplanMetrics
import BitplanTensors
import Foundation
import PlanFormat

/// A directory for stores that goes with the object.
final class StoreDirectory {
    let root: URL

    init() throws {
        root = FileManager.default.temporaryDirectory.appending(path: "bitplan-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    func file(_ name: String) -> URL { root.appending(path: name) }
}

extension Experiment {
    /// An experiment for tests; `name` stands for the weights.
    static func test(_ name: String = "weights") -> Experiment {
        Experiment(weights: name, configuration: "c", data: "d", calibration: "d", fit: .greedy)
    }
}

/// An assignment that differs with every number.
func numbered(_ number: Int) -> Assignment {
    (0..<12).map { number >> $0 & 1 == 1 ? .bcq(2) : .fp32 }
}

extension SeededGenerator {
    /// Losses with any bits, as numbers and as what only damaged programs would measure.
    mutating func losses(_ count: Int) -> [ItemScore] {
        let odd = [0, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
        func nats(_ generator: inout SeededGenerator) -> Double {
            generator.uniform() < 0.1
                ? odd[generator.index(below: odd.count)] : Double(bitPattern: generator.next())
        }
        let isSketched = uniform() < 0.5
        return (0..<count).map { _ in
            let bits = index(below: 50)
            let tokens = Int(truncatingIfNeeded: next() & ((1 << UInt64(bits)) - 1))
            var score = ItemScore(
                loss: ItemLoss(
                    kl: TokenLoss(nats: nats(&self), tokens: tokens),
                    crossEntropy: TokenLoss(nats: nats(&self), tokens: index(below: 300))))
            guard isSketched else { return score }
            score.sketchedNats = nats(&self)
            score.anchorNats = nats(&self)
            score.anchorSketchedNats = nats(&self)
            score.anchors = index(below: 200)
            return score
        }
    }
}

/// Whether two lists of losses are the same bit for bit, NaNs included.
func sameBits(_ left: [ItemScore], _ right: [ItemScore]) -> Bool {
    func bits(_ losses: [ItemScore]) -> [[UInt64]] {
        losses.map {
            [
                $0.loss.kl.nats.bitPattern, UInt64($0.loss.kl.tokens), $0.loss.crossEntropy.nats.bitPattern,
                UInt64($0.loss.crossEntropy.tokens), $0.sketchedNats.bitPattern, $0.anchorNats.bitPattern,
                $0.anchorSketchedNats.bitPattern, UInt64($0.anchors),
            ]
        }
    }
    return bits(left) == bits(right)
}
