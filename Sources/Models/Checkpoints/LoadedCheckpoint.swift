import BitplanKernels
import BitplanTensors
import Foundation

/// The weights of a network in full precision, by its own names.
struct LoadedCheckpoint: Checkpoint {
    let file: URL
    let weights: WeightTable

    var shapes: [String: [Int]] {
        weights.matrices.mapValues { [$0.rows, $0.columns] }
            .merging(weights.vectors.mapValues { [$0.count] }) { matrix, _ in matrix }
    }

    func floats(_ name: String, shape: [Int]) throws(FileError) -> [Float] {
        if let vector = weights.vectors[name], shape == [vector.count] { return vector }
        guard let matrix = weights.matrices[name], shape == [matrix.rows, matrix.columns] else {
            throw FileError(file, "has no tensor '\(name)' of shape \(shape)")
        }
        return matrix.decoded().storage
    }
}
