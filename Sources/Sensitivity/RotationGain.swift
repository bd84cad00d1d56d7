import BitplanModels
import BitplanQuantizers
import BitplanTensors
import PlanFormat

/// What a rotation of inputs takes off the error of trellis codes: much where weights have outliers, which it
/// spreads over a row; nothing, or less than nothing, where they are spread already.
package enum RotationGain {
    /// The gain from which on rotated codes are candidates: between that of two models that lose less with a
    /// rotation and that of three that hardly do (`Reports/trellis.md`).
    package static var least: Double { 0.03 }

    /// Rows of a matrix that are encoded, evenly spaced.
    private static var sampledRows: Int { 64 }

    /// The share of the squared error that a rotation takes away at 3 bits, without calibration: the mean
    /// over the weights of all matrices but embeddings; nil where there are none, or some have rows that no
    /// rotation fits.
    ///
    /// - Throws: `FileError` where weights cannot be read or encoded.
    package static func of<Family: ModelFamily>(_ model: Model<Family>) throws -> Double? {
        let matrices = model.layout.sublayers.flatMap(\.matrices)
        guard matrices.allSatisfy({ HadamardRotation(columns: $0.columns) != nil }) else { return nil }
        let shapes = model.layout.sublayers.filter { $0.name.kind != .embedding }.flatMap(\.matrices)
        guard !shapes.isEmpty else { return nil }
        let gains = try concurrentMap(count: shapes.count, threads: 2) { place in
            let matrix = try model.matrix(shapes[place])
            let step = max(1, matrix.rows / sampledRows)
            let rows = matrix.gathering(rows: Array(stride(from: 0, to: matrix.rows, by: step)))
            do {
                let plain = try squaredError(rows, rotation: false)
                return plain > 0 ? 1 - (try squaredError(rows, rotation: true)) / plain : 0
            } catch {
                throw FileError(model.checkpoint.file, "tensor '\(shapes[place].tensor)': \(error)")
            }
        }
        let counts = shapes.map { Double($0.count) }
        return zip(gains, counts).reduce(0) { $0 + $1.0 * $1.1 } / counts.reduce(0, +)
    }

    private static func squaredError(_ weights: Matrix, rotation: Bool) throws -> Double {
        let scheme = Scheme.trellisCodes(pairBits: 6, rotation: rotation)
        let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .greedy))
        return zip(weights.storage, decoded.storage).reduce(0) { sum, pair in
            let error = Double(pair.0 - pair.1)
            return sum + error * error
        }
    }
}
