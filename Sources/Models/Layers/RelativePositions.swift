import BitplanKernels
import Foundation

/// Learned biases of attention scores by the distance from the query to the key, one for each head and bucket
/// of distances.
///
/// Half of the buckets of a direction are for one distance each, from 0 on; the others widen by a constant
/// factor up to `maximumDistance`, from which on all distances share the last. In an encoder the second half
/// of all buckets is for keys behind the query.
/// - Source: Raffel et al. 2020 (T5), section 2.1; buckets are computed in FP32, as the reference has them.
struct RelativePositions: Sendable {
    /// The shape of the table.
    struct Shape: Sendable {
        let buckets: Int
        let maximumDistance: Int
        let heads: Int
        /// Whether queries see keys behind them.
        let isBidirectional: Bool
    }

    private let name: String
    private let shape: Shape
    /// (buckets, heads).
    private let table: [Float]
    /// Buckets of a direction by distance, up to the first one that shares the last bucket.
    private let bucketsByDistance: [Int]

    /// Takes the vector `name`, the rows of all buckets one after the other.
    init(_ name: String, _ shape: Shape, _ reader: inout ParameterReader) throws(MissingWeight) {
        self.name = name
        self.shape = shape
        table = try reader.vector(name, count: shape.buckets * shape.heads)
        let own = shape.isBidirectional ? shape.buckets / 2 : shape.buckets
        let exact = own / 2
        let widest = Float(log(Double(shape.maximumDistance) / Double(exact)))
        bucketsByDistance = (0...shape.maximumDistance).map { distance in
            guard distance >= exact else { return distance }
            let steps = log(Float(distance) / Float(exact)) / widest * Float(own - exact)
            return min(exact + Int(steps), own - 1)
        }
    }

    /// The bucket of a distance: the key's place less the query's.
    func bucket(_ distance: Int) -> Int {
        let steps = shape.isBidirectional ? abs(distance) : max(0, -distance)
        let bucket = bucketsByDistance[min(steps, bucketsByDistance.count - 1)]
        return shape.isBidirectional && distance > 0 ? bucket + shape.buckets / 2 : bucket
    }

    /// The biases of all distances in sequences of up to `longest` tokens, by head.
    func biases(longest: Int) -> Biases {
        let distances = -max(0, longest - 1)...max(0, longest - 1)
        let buckets = distances.map(bucket)
        return Biases(
            values: (0..<shape.heads).flatMap { head in
                buckets.map { table[$0 * shape.heads + head] }
            }, longest: longest)
    }

    /// Adds to the scores of a sequence's last token over all of it.
    ///
    /// - Shapes: `scores` (heads, count).
    func add(to scores: UnsafeMutablePointer<Float>, count: Int) {
        for place in 0..<count {
            let row = bucket(place - (count - 1)) * shape.heads
            for head in 0..<shape.heads { scores[head * count + place] += table[row + head] }
        }
    }

    /// Hands on the gradient of the table, given those of `biases(longest:)`.
    func backward(_ gradients: [Float], longest: Int, _ sink: any GradientSink) {
        var sums = table.map { _ in Float(0) }
        let distances = 2 * longest - 1
        for (index, gradient) in gradients.enumerated() {
            let (head, distance) = (index / distances, index % distances - (longest - 1))
            sums[bucket(distance) * shape.heads + head] += gradient
        }
        sink.vector(name, sums)
    }

    /// Biases by head and distance.
    ///
    /// - Shapes: (heads, 2 * longest - 1), the key that is farthest before the query first.
    struct Biases {
        fileprivate let values: [Float]
        fileprivate let longest: Int

        /// As many zeros as there are biases.
        func zeros() -> [Float] { values.map { _ in 0 } }

        /// The biases of a query at this place of its sequence.
        func row(_ position: Int) -> Row { Row(biases: self, first: longest - 1 - position) }
    }

    /// What one query's scores get: of each head the biases of the keys from the first on.
    struct Row {
        fileprivate let biases: Biases
        /// The place of the first key's bias among those of a head.
        fileprivate let first: Int

        private func place(_ head: Int) -> Int { head * (2 * biases.longest - 1) + first }

        /// Adds a head's biases to its scores of `count` keys.
        func add(head: Int, to scores: UnsafeMutablePointer<Float>, count: Int) {
            biases.values.withUnsafeBufferPointer { values in
                guard let values = values.baseAddress else { return }
                BitplanKernels.add(values + place(head), to: scores, count: count)
            }
        }

        /// Adds the gradients of a head's scores of `count` keys, times `scale` as dot products have them, to
        /// those of its biases.
        func add(
            _ slopes: UnsafePointer<Float>, of scale: Float, head: Int, count: Int,
            toGradients gradients: inout [Float]
        ) {
            let place = place(head)
            for key in 0..<count { gradients[place + key] += slopes[key] / scale }
        }
    }
}
