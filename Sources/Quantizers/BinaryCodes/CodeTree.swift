/// Which code each number of a vector takes: a binary tree of thresholds over 2^bits leaves.
///
/// A number goes right at a node where it is at least the node's threshold. Nodes are in heap order, leaves
/// from left to right.
final class CodeTree {
    let bits: Int
    /// `2^bits - 1` nodes.
    let thresholds: UnsafeMutablePointer<Float>
    /// The code of each leaf.
    let leafCodes: UnsafeMutablePointer<UInt8>
    /// One a plane, as stored.
    let alphas: UnsafeMutablePointer<Float>

    init(bits: Int) {
        self.bits = bits
        thresholds = .allocate(capacity: 1 << bits)
        leafCodes = .allocate(capacity: 1 << bits)
        alphas = .allocate(capacity: bits)
        thresholds.initialize(repeating: 0, count: 1 << bits)
        leafCodes.initialize(repeating: 0, count: 1 << bits)
        alphas.initialize(repeating: 0, count: bits)
    }

    deinit {
        thresholds.deallocate()
        leafCodes.deallocate()
        alphas.deallocate()
    }

    func copy(from other: CodeTree) {
        thresholds.update(from: other.thresholds, count: 1 << bits)
        leafCodes.update(from: other.leafCodes, count: 1 << bits)
        alphas.update(from: other.alphas, count: bits)
    }

    /// Writes the code of each weight.
    ///
    /// - Complexity: O(count * bits), without branches.
    func assign(_ weights: UnsafePointer<Float>, count: Int, codes: UnsafeMutablePointer<UInt8>) {
        for column in 0..<count {
            let weight = weights[column]
            var node = 0
            for _ in 0..<bits { node = 2 * node + (weight >= thresholds[node] ? 2 : 1) }
            codes[column] = leafCodes[node - (1 << bits) + 1]
        }
    }
}

/// The 2^bits numbers that codes stand for, `sum_i alpha_i b_i` added up in FP32 from plane 0: what every
/// decoder gives.
@inline(__always)
func codeValues(_ alphas: UnsafePointer<Float>, bits: Int, into values: UnsafeMutablePointer<Float>) {
    values[0] = -alphas[0]
    values[1] = alphas[0]
    for plane in 1..<max(1, bits) {
        let half = 1 << plane
        for code in 0..<half {
            let value = values[code]
            values[code] = value - alphas[plane]
            values[code + half] = value + alphas[plane]
        }
    }
}
